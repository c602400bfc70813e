"""`postertui prune`: free the disk of weights, predictions and checkpoints."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from postertui.cli.options import json_option, print_json, runs_option
from postertui.cli.selection import (
    WHICH_RUNS,
    all_option,
    open_store,
    query_argument,
    select,
)
from postertui.cli.streams import print_message
from postertui.system.errors import UserError
from postertui.system.sharing import describe_os_error
from postertui.system.text import pluralize


@click.command("prune")
@query_argument
@all_option
@click.option("--weights", is_flag=True, help="Trained weights.")
@click.option("--predictions", is_flag=True, help="Probabilities of single posters.")
@click.option("--checkpoints", is_flag=True, help="Checkpoints of runs that are not done.")
@click.option("--dry-run", is_flag=True, help="Print what would be freed and return.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@runs_option
@json_option
def prune_command(
    query: tuple[str, ...],
    everything: bool,
    weights: bool,
    predictions: bool,
    checkpoints: bool,
    dry_run: bool,
    yes: bool,
    runs: Path,
    as_json: bool,
) -> int:
    """Remove weights, predictions or checkpoints of runs; histories stay.

    Prints how much that frees, and asks. Runs that are being trained are left alone; a run without
    its checkpoint starts over when it is retried.
    """
    from postertui.runs import pruning

    flags: tuple[tuple[pruning.PrunableKind, bool], ...] = (
        ("weights", weights),
        ("predictions", predictions),
        ("checkpoints", checkpoints),
    )
    kinds = [kind for kind, chosen in flags if chosen]
    if not kinds:
        raise click.UsageError("what? Give --weights, --predictions or --checkpoints")
    if bool(query) == everything:
        raise click.UsageError(WHICH_RUNS)
    chosen = select(open_store(runs), query, everything=everything)
    sizes: dict[str, int] = {}
    for run in chosen:
        if run.state != "running" and run.damage is None:
            size = sum(size for _, size in pruning.prunable_files(runs / run.name, kinds))
            sizes |= {run.name: size} if size else {}
    removed = f"{' and '.join(kinds)} of {pluralize(len(sizes), 'run')}"
    total = sum(sizes.values())
    if dry_run or not sizes:
        print_message(f"{removed}: {megabytes(total)}")
        _print_json(as_json, sizes)
        return 0
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"{removed}: {megabytes(total)}; say --yes to remove them")
        if not click.confirm(f"Remove {removed} ({megabytes(total)})?", err=True):
            return 0
    freed: dict[str, int] = {}
    for name in sizes:
        try:
            size_freed = pruning.prune_run(runs / name, kinds)
        except OSError as error:
            raise UserError(describe_os_error(error, runs, os.W_OK), exit_code=1) from None
        if size_freed is not None:
            freed[name] = size_freed
    print_message(f"Freed {megabytes(sum(freed.values()))} of {pluralize(len(freed), 'run')}")
    if skipped := len(sizes) - len(freed):
        print_message(f"Left alone, being trained: {pluralize(skipped, 'run')}")
    _print_json(as_json, freed)
    return 0


def megabytes(size: int) -> str:
    """`12.3 MB`."""
    return f"{size / 1e6:.1f} MB"


def _print_json(as_json: bool, sizes: dict[str, int]) -> None:
    if as_json:
        print_json({"bytes": sum(sizes.values()), "runs": sizes})
