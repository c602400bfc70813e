"""`postertui runs` and `log`."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from postertui.cli.options import json_option, print_json, runs_option
from postertui.cli.selection import list_selected, open_store, query_argument, select
from postertui.cli.streams import print_message
from postertui.runs import layout
from postertui.system.errors import UserError
from postertui.system.regular_files import open_regular
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.runs.store import Store
    from postertui.runs.store.listing import ListedRun

#: Seconds between two looks at a log that is followed.
INTERVAL = 0.2


@click.command("runs")
@query_argument
@runs_option
@json_option
def runs_command(query: tuple[str, ...], runs: Path, as_json: bool) -> int:
    """List the runs and their states.

    A FILTER such as `genre:comedy state:running,queued` narrows the list.
    """
    from postertui.supervisor import requests

    store = open_store(runs)
    if as_json:
        records = [
            run.record() | {"damage": run.damage, "paused": run.held, "cancelling": run.cancelling}
            for run in select(store, query)
        ]
        print_json(records)
        return 0
    listed = list_selected(store, query)
    click.echo("\n".join(run_lines(listed)))
    counts = Counter(run.standing for run in listed)
    parts = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    print_message(f"{pluralize(len(listed), 'run')}: {parts}")
    open_runs = store.waiting_runs
    status = requests.status(runs, open_runs=open_runs)
    if status.warning:
        print_message(f"Warning: {status.warning}")
    if waiting := status.waiting:
        print_message(f"Waiting: {waiting}")
    return 0


@click.command("log")
@query_argument
@click.option(
    "--lines", "-n", type=click.IntRange(min=0), help="Print only this many of the last lines."
)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has its end.")
@runs_option
def log_command(query: tuple[str, ...], lines: int | None, follow: bool, runs: Path) -> int:
    """Print what a run's job printed."""
    if not query:
        raise click.UsageError("which run? Name one, or give a filter")
    store = open_store(runs)
    matching = select(store, query)
    if follow and len(matching) > 1:
        raise click.UsageError(f"--follow takes one run; {len(matching)} match")
    for number, run in enumerate(matching):
        if len(matching) > 1:
            click.echo(f"{chr(10) * bool(number)}==> {run.name} <==")
        file = _open_log(runs / run.name / layout.LOG, even_empty=follow)
        if file is None:
            print_message(f"{run.name}: nothing was printed yet")
            continue
        with file:
            for line in _last(file, lines):
                click.echo(line)
            if follow:
                _follow(store, run.name, file)
    return 0


def _open_log(path: Path, *, even_empty: bool) -> BinaryIO | None:
    """The log; None where nothing was ever printed."""
    try:
        file = os.fdopen(open_regular(path, os.O_RDONLY), "rb")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", exit_code=1) from None
    if even_empty or os.fstat(file.fileno()).st_size:
        return file
    file.close()
    return None


def run_lines(runs: Sequence[ListedRun]) -> Iterator[str]:
    """One aligned line per run: state, epochs, test F and AP, name, and why it ended so."""
    from postertui.system.text import strip_control_chars

    width = max((len(run.name) for run in runs), default=0)
    scores = f"{'TEST F':>6}  {'AP':>5}"
    yield f"{'STATE':<11}  {'EPOCH':>9}  {scores}  {'RUN':<{width}}  REASON".rstrip()
    for _, name, standing, epoch, planned, fscore, average_precision, reason in runs:
        epochs = f"{epoch}/{planned or '?'}"
        text = strip_control_chars(name)
        if reason:
            text = f"{text:<{width}}  {' '.join(strip_control_chars(reason).split())}".rstrip()
        yield (
            f"{standing:<11}  {epochs:>9}"
            f"  {'-' if fscore is None else f'{fscore:.3f}':>6}"
            f"  {'-' if average_precision is None else f'{average_precision:.3f}':>5}  {text}"
        )


def _last(file: BinaryIO, lines: int | None) -> list[str]:
    """The rest of the file as harmless lines; the last `lines` of them."""
    from postertui.system.text import strip_control_chars

    text = strip_control_chars(file.read().decode("utf-8", "replace"))
    matching = text.splitlines()
    return matching if lines is None else matching[len(matching) - min(lines, len(matching)) :]


def _follow(store: Store, name: str, file: BinaryIO) -> None:
    while True:
        store.refresh()
        run = store.runs.get(name)
        is_over = run is None or run.is_closed
        for line in _last(file, None):
            click.echo(line)
        sys.stdout.flush()
        if is_over:
            return
        time.sleep(INTERVAL)
