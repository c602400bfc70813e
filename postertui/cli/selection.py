"""Which runs a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.system.errors import UserError
from postertui.system.gc_pause import gc_paused
from postertui.system.sharing import describe_os_error

if TYPE_CHECKING:
    from postertui.runs.store import Run, Store
    from postertui.runs.store.listing import ListedRun

query_argument = click.argument("query", nargs=-1, metavar="[RUN|FILTER]...")
#: The mistake of a command that changes runs and was not given any.
WHICH_RUNS = "which runs? Name some, give a filter, or say --all: one of the three"

all_option = click.option("--all", "everything", is_flag=True, help="All runs.")


def open_store(folder: Path) -> Store:
    """The runs below `folder`. Raises `UserError` where it cannot be read; none are fine."""
    from postertui.runs.store import Store

    store = Store(folder)
    try:
        with gc_paused(freeze=True):
            store.refresh()
    except OSError as error:
        raise UserError(describe_os_error(error, folder)) from None
    return store


@gc_paused(freeze=True)
def select(store: Store, query: Sequence[str], *, everything: bool = False) -> list[Run]:
    """The runs that are named, or that match `query` as a filter, in a steady order.

    Words that are all names of runs name those; everything else is one filter. Raises `UserError`
    where none matches.
    """
    from postertui import filters

    check_exists(store.folder)
    if query and all(word in store.runs for word in query):
        return [store.runs[word] for word in dict.fromkeys(query)]
    if everything or not query:
        matching = list(store.runs.values())
    else:
        names = {run.spec.variant.name for run in store.runs.values() if run.spec is not None}
        parsed = filters.parse(" ".join(query), names)
        records = {name: run.record() for name, run in store.runs.items()}
        filters.check_fields(parsed, records.values())
        matching = [run for name, run in store.runs.items() if parsed.matches(records[name])]
    _check_any(store, query, matching)
    return sorted(matching, key=_order)


def list_selected(store: Store, query: Sequence[str]) -> list[ListedRun]:
    """What a list shows of the runs that `select` gives. Raises as that does."""
    from postertui.runs.store.listing import list_run

    if query:
        return [list_run(run) for run in select(store, query)]
    check_exists(store.folder)
    with gc_paused(freeze=True):
        listed = store.runs.listed()
    _check_any(store, query, listed)
    return listed


def _check_any(store: Store, query: Sequence[str], matching: Sequence[object]) -> None:
    if not matching:
        what = f"no run matches `{' '.join(query)}`" if query else "there are no runs"
        raise UserError(f"{store.folder}: {what}", exit_code=3)


def check_exists(folder: Path) -> None:
    """Raise `UserError` where there is no such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `postertui train` makes it", exit_code=3)


def _order(run: Run) -> tuple[float, str]:
    return run.created, run.name
