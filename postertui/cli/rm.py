"""`postertui rm`: remove runs, bring them back, delete them for good."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from postertui.cli.options import json_option, print_json, runs_option
from postertui.cli.selection import (
    WHICH_RUNS,
    all_option,
    check_exists,
    open_store,
    query_argument,
    select,
)
from postertui.cli.streams import print_message
from postertui.system.errors import UserError
from postertui.system.sharing import describe_os_error
from postertui.system.text import pluralize


@click.command("rm")
@query_argument
@all_option
@click.option("--undo", is_flag=True, help="Bring back what was removed last.")
@click.option("--empty", is_flag=True, help="Delete removed runs for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@runs_option
@json_option
def rm_command(
    query: tuple[str, ...],
    everything: bool,
    undo: bool,
    empty: bool,
    yes: bool,
    runs: Path,
    as_json: bool,
) -> int:
    """Remove runs, histories and all: one, a filter's, or all of them.

    They are gone from every list and table, but stay on the disk until `postertui rm --empty`;
    `postertui rm --undo` brings back what was removed last. A run that is being trained stays:
    cancel it first.
    """
    from postertui.runs import removal
    from postertui.supervisor import requests

    if bool(query) + everything + undo + empty != 1:
        raise click.UsageError(WHICH_RUNS)
    check_exists(runs)
    try:
        if empty:
            removed = removal.removed_runs(runs)
            if not removed:
                print_message("no removed runs, nothing to delete")
                return 0
            if not _confirm(f"Delete {pluralize(len(removed), 'removed run')} for good", yes):
                return 0
            removal.empty(runs)
            print_message(f"deleted {pluralize(len(removed), 'removed run')}")
            return 0
        if undo:
            outcome, done = removal.undo(runs), "brought back"
        else:
            chosen = [run.name for run in select(open_store(runs), query, everything=everything)]
            if not _confirm(f"Remove {pluralize(len(chosen), 'run')}", yes):
                return 0
            outcome, done = removal.remove(runs, chosen), "removed"
    except OSError as error:
        raise UserError(describe_os_error(error, runs, os.W_OK), exit_code=1) from None
    requests.notify(runs)
    if as_json:
        print_json(outcome._asdict())
    hint = "" if undo or not outcome.moved else "; `postertui rm --undo` brings them back"
    print_message(f"{done} {pluralize(len(outcome.moved), 'run')}{hint}")
    if outcome.left:
        reason = "a run of that name is there" if undo else "being trained; cancel first"
        print_message(f"left {pluralize(len(outcome.left), 'run')}: {reason}")
    return 1 if outcome.left else 0


def _confirm(question: str, yes: bool) -> bool:
    """Whether the user says yes. Raises `UserError` where there is no terminal to ask on."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UserError(f"{question}? Say --yes, for there is no terminal to ask on")
    return click.confirm(f"{question}?", err=True)
