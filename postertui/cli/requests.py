"""`postertui cancel`, `retry`, `pause`, `resume` and `priority`: what is asked for runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from postertui.system.sharing import explain_unwritable
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.supervisor.requests import RequestOutcome

#: What became of a request, for people.
_OUTCOME_TEXTS = {
    "requested": "will follow soon",
    "unchanged": "unchanged",
    "damaged": "damaged (`postertui doctor`)",
    "unreadable": "unreadable (`postertui doctor`)",
    "newer": "made by a newer version of postertui",
    "missing": "not there",
    "denied": "this account may not change",
    "external": "written by a program of their own: start that again",
}


@click.command("cancel")
@query_argument
@all_option
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
@query_argument
@all_option
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
@query_argument
@runs_option
@json_option
def pause_command(query: tuple[str, ...], runs: Path, as_json: bool) -> int:
    """Start no further run until `resume`; runs that are being trained go on to their end.

    With runs or a filter: hold only those, until `resume` releases them. A running one among
    them stops after its epoch and keeps what it trained.
    """
    from postertui.supervisor import requests

    if query:
        return _request(runs, query, False, as_json, "held", requests.pause_runs)
    check_exists(runs)
    requests.pause(runs)
    print_message("Paused: no further run starts; `postertui resume` goes on.")
    return 0


@click.command("resume")
@query_argument
@click.option(
    "--on", metavar="WHERE", help="ray[:HOST[:PORT]] for a cluster, here for this machine."
)
@runs_option
@json_option
def resume_command(query: tuple[str, ...], on: str | None, runs: Path, as_json: bool) -> int:
    """Go on after `pause`, or release only some runs; finish what was interrupted."""
    from postertui.supervisor import requests
    from postertui.supervisor.backends.clusters import open_cluster

    cluster = None if on is None else open_cluster(on)
    code = 0
    if query:
        code = _request(runs, query, False, as_json, "released", requests.resume_runs)
    else:
        check_exists(runs)
        requests.resume(runs)
    requests.ensure_supervisor(runs, on=on if cluster is None else cluster.address)
    if not query:
        print_message("The queue goes on.")
    return code


@click.command("priority", context_settings={"ignore_unknown_options": True})
@click.argument("level", type=click.IntRange(-1000, 1000))
@query_argument
@all_option
@runs_option
@json_option
def priority_command(
    level: int, query: tuple[str, ...], everything: bool, runs: Path, as_json: bool
) -> int:
    """Let runs go earlier (LEVEL above 0) or later (below 0); 0 is the default."""
    from postertui.supervisor import requests

    def request(folder: Path, names: Sequence[str]) -> dict[str, RequestOutcome]:
        return requests.set_priority(folder, names, level)

    return _request(runs, query, everything, as_json, f"now at priority {level}", request)


def _request(
    folder: Path,
    query: tuple[str, ...],
    everything: bool,
    as_json: bool,
    done: str,
    request: Callable[[Path, Sequence[str]], Mapping[str, RequestOutcome]],
) -> int:
    """Make a request for each of the runs and print what became of it; the exit code."""
    if bool(query) == everything:
        raise click.UsageError(WHICH_RUNS)
    chosen = select(open_store(folder), query, everything=everything)
    damaged = [run.name for run in chosen if run.damage is not None]
    outcomes: dict[str, Any] = dict.fromkeys(damaged, "damaged")
    outcomes |= {run.name: "unreadable" for run in chosen if run.is_unreadable}
    outcomes |= request(folder, [run.name for run in chosen if run.damage is None])
    if as_json:
        print_json(outcomes)
    counts = Counter({"done": done, **_OUTCOME_TEXTS}[outcome] for outcome in outcomes.values())
    parts = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    print_message(f"{pluralize(len(outcomes), 'run')}: {parts}")
    if followers := len(outcomes.keys() - {run.name for run in chosen}):
        print_message(f"{followers} of them share layers with those asked for: they go together.")
    denied = [name for name, outcome in outcomes.items() if outcome == "denied"]
    if denied and (reason := explain_unwritable(folder / denied[0])):
        print_message(reason)
    return (
        1 if {"damaged", "unreadable", "newer", "missing", "denied"} & set(outcomes.values()) else 0
    )
