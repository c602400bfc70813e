"""`postertui runs`, `cancel`, `retry`, `pause`, `resume`, `priority` and `log`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from postertui.cli.options import json_option, print_json, runs_option
from postertui.errors import UserError
from postertui.words import counted

if TYPE_CHECKING:
    from postertui.store import Run, Store
    from postertui.supervisor.requests import Outcome

#: Seconds between two looks at a log that is followed.
INTERVAL = 0.2

#: What became of a request, for people.
_SAID = {
    "requested": "will follow soon",
    "unchanged": "as they were",
    "damaged": "damaged (`postertui doctor`)",
    "missing": "not there",
}

_query = click.argument("query", nargs=-1, metavar="[RUN|FILTER]...")
_all = click.option("--all", "everything", is_flag=True, help="All runs.")


@click.command("runs")
@_query
@runs_option
@json_option
def runs_command(query: tuple[str, ...], runs: Path, as_json: bool) -> int:
    """List the runs and their states.

    A FILTER such as `genre:comedy state:running,queued` narrows the list.
    """
    from postertui.supervisor import requests

    store = open_store(runs)
    found = select(store, query)
    if as_json:
        records = [
            run.record()
            | {"damage": run.damage, "paused": run.paused, "cancelling": run.cancelling}
            for run in found
        ]
        print_json(records)
        return 0
    click.echo("\n".join(run_lines(found)))
    counts = Counter(shown_state(run) for run in found)
    parts = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    _say(f"{counted(len(found), 'run')}: {parts}")
    if waiting := requests.status(runs).waiting:
        _say(f"Waiting: {waiting}")
    return 0


@click.command("cancel")
@_query
@_all
@runs_option
@json_option
def cancel_command(query: tuple[str, ...], everything: bool, runs: Path, as_json: bool) -> int:
    """Cancel runs: one, a filter's, or all of them.

    A queued run never starts; a running one ends within an epoch or ten seconds. What it trained
    stays.
    """
    from postertui.supervisor import requests

    return _request(runs, query, everything, as_json, "cancelled", requests.cancel)


@click.command("retry")
@_query
@_all
@click.option("--no-start", is_flag=True, help="Only queue them; start nothing.")
@runs_option
@json_option
def retry_command(
    query: tuple[str, ...], everything: bool, no_start: bool, runs: Path, as_json: bool
) -> int:
    """Queue failed, cancelled or interrupted runs again.

    They go on from their newest checkpoint; what earlier attempts wrote stays.
    """
    from postertui.supervisor import requests

    code = _request(runs, query, everything, as_json, "queued", requests.retry)
    if not no_start:
        requests.ensure_supervisor(runs)
    return code


@click.command("pause")
@_query
@runs_option
@json_option
def pause_command(query: tuple[str, ...], runs: Path, as_json: bool) -> int:
    """Start no further run until `resume`; what runs goes on to its end.

    With runs or a filter: pause only those. Of them, a running one stops after its epoch and
    keeps what it trained.
    """
    from postertui.supervisor import requests

    if query:
        return _request(runs, query, False, as_json, "paused", requests.pause_runs)
    _existing(runs)
    requests.pause(runs)
    _say("Paused: no further run starts; `postertui resume` goes on.")
    return 0


@click.command("resume")
@_query
@runs_option
@json_option
def resume_command(query: tuple[str, ...], runs: Path, as_json: bool) -> int:
    """Go on after `pause`, with everything or only some runs; finish what was interrupted."""
    from postertui.supervisor import requests

    code = 0
    if query:
        code = _request(runs, query, False, as_json, "resumed", requests.resume_runs)
    else:
        _existing(runs)
        requests.resume(runs)
    requests.ensure_supervisor(runs)
    if not query:
        _say("The queue goes on.")
    return code


@click.command("priority", context_settings={"ignore_unknown_options": True})
@click.argument("level", type=click.IntRange(-1000, 1000))
@_query
@_all
@runs_option
@json_option
def priority_command(
    level: int, query: tuple[str, ...], everything: bool, runs: Path, as_json: bool
) -> int:
    """Let runs go earlier (LEVEL above 0) or later (below 0); 0 is the default."""
    from postertui.supervisor import requests

    def request(folder: Path, names: Sequence[str]) -> dict[str, Outcome]:
        return requests.set_priority(folder, names, level)

    return _request(runs, query, everything, as_json, f"now at priority {level}", request)


@click.command("log")
@_query
@click.option("--lines", "-n", type=click.IntRange(min=0), help="Only so many of the last lines.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has its end.")
@runs_option
def log_command(query: tuple[str, ...], lines: int | None, follow: bool, runs: Path) -> int:
    """Print what a run's job printed."""
    if not query:
        raise click.UsageError("which run? Name one, or give a filter")
    store = open_store(runs)
    found = select(store, query)
    if follow and len(found) > 1:
        raise click.UsageError(f"--follow takes one run; {len(found)} match")
    for number, run in enumerate(found):
        if len(found) > 1:
            click.echo(f"{chr(10) * bool(number)}==> {run.name} <==")
        file = _open_log(runs / run.name / "log.txt", even_empty=follow)
        if file is None:
            _say(f"{run.name}: nothing was printed yet")
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
        return path.open("rb") if even_empty or path.stat().st_size else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", exit_code=1) from None


def open_store(folder: Path) -> Store:
    """The runs below `folder`. Raises `UserError` where it cannot be read; none are fine."""
    from postertui.store import Store

    store = Store(folder)
    try:
        store.refresh()
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror}") from None
    return store


def select(store: Store, query: Sequence[str], *, everything: bool = False) -> list[Run]:
    """The runs that are named, or that match `query` as a filter, in a steady order.

    Words that are all names of runs name those; everything else is one filter. Raises `UserError`
    where none matches.
    """
    from postertui import filters

    _existing(store.folder)
    if query and all(word in store.runs for word in query):
        return [store.runs[word] for word in dict.fromkeys(query)]
    matches = filters.parse(" ".join(query)).matches
    found = [run for run in store.runs.values() if everything or matches(run.record())]
    if not found:
        what = f"no run matches `{' '.join(query)}`" if query else "there are no runs"
        raise UserError(f"{store.folder}: {what}", exit_code=3)
    return sorted(found, key=_order)


def run_lines(runs: Sequence[Run]) -> Iterator[str]:
    """One aligned line per run: state, epochs, test F, name, and why it ended so."""
    from postertui.harmless import harmless

    width = max((len(run.name) for run in runs), default=0)
    yield f"{'STATE':<11}  {'EPOCH':>9}  {'TEST F':>6}  {'RUN':<{width}}  REASON".rstrip()
    for run in runs:
        total = run.spec.variant.epochs if run.spec else "?"
        score = run.newest("test_fscore_soft")
        if score is None:
            score = run.newest("test_fscore")
        shown = "-" if score is None else f"{score:.3f}"
        reason = " ".join(harmless(run.reason or "").split())
        epochs = f"{run.epoch}/{total}"
        name = harmless(run.name)
        yield f"{shown_state(run):<11}  {epochs:>9}  {shown:>6}  {name:<{width}}  {reason}".rstrip()


def shown_state(run: Run) -> str:
    """The run's state, or what hides it: damaged, cancelling, paused."""
    if run.damage is not None:
        return "damaged"
    if run.cancelling and not run.is_closed:
        return "cancelling"
    if run.paused and run.state in ("queued", "interrupted"):
        return "paused"
    return run.state


def _request(
    folder: Path,
    query: tuple[str, ...],
    everything: bool,
    as_json: bool,
    done: str,
    request: Callable[[Path, Sequence[str]], Mapping[str, Outcome]],
) -> int:
    """Ask for something for each of the runs and say what became of it; the exit code."""
    if bool(query) == everything:
        raise click.UsageError("which runs? Name some, give a filter, or say --all")
    found = select(open_store(folder), query, everything=everything)
    damaged = [run.name for run in found if run.damage is not None]
    outcomes: dict[str, Any] = dict.fromkeys(damaged, "damaged")
    outcomes |= request(folder, [run.name for run in found if run.damage is None])
    if as_json:
        print_json(outcomes)
    counts = Counter({"done": done, **_SAID}[outcome] for outcome in outcomes.values())
    parts = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    _say(f"{counted(len(found), 'run')}: {parts}")
    return 1 if {"damaged", "missing"} & set(outcomes.values()) else 0


def _existing(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `postertui train` makes it", exit_code=3)


def _order(run: Run) -> tuple[float, str]:
    return (run.spec.created if run.spec else float("inf")), run.name


def _last(file: BinaryIO, lines: int | None) -> list[str]:
    """The rest of the file as harmless lines; the last `lines` of them."""
    from postertui.harmless import harmless

    text = harmless(file.read().decode("utf-8", "replace"))
    found = text.splitlines()
    return found if lines is None else found[len(found) - min(lines, len(found)) :]


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


def _say(text: str) -> None:
    click.echo(text, err=True)
