"""The history that a command reads: of the runs folder, or of a table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.runs import layout
from postertui.system.environment import variables_set
from postertui.system.errors import UserError
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.history.selection import History

#: Bytes of a table, or of a folder's cache, below which one thread reads it soonest.
SMALL_TABLE = 4_000_000

#: Why runs are left out, for people.
_LEFT_OUT: Mapping[str, str] = {
    "damaged": "damaged",
    "unreadable": "another account's",
    "newer": "made by a newer version of postertui",
}


def read_history(place: Path) -> History:
    """The history at `place`, a runs folder or a table.

    Says on standard error how many runs could not be read. Raises `UserError` where there is no
    history, and with exit code 3 where it holds no epoch.
    """
    from postertui.history.selection import open_history

    if not place.exists():
        raise UserError(
            f"{place}: no such file or folder; name runs with --runs, or a table with --from"
        )
    history = open_history(place)
    if history.left_out:
        total = pluralize(sum(history.left_out.values()), "run")
        parts = ", ".join(f"{count} {_LEFT_OUT[why]}" for why, count in history.left_out.items())
        click.echo(
            f"postertui: {place}: left out {total}: {parts}; `postertui doctor` says more", err=True
        )
    if history.table.is_empty():
        raise UserError(f"{place}: no finished epoch yet", exit_code=3)
    return history


def few_threads(place: Path) -> AbstractContextManager[None]:
    """No more threads than reading needs, for libraries that are imported in the block.

    Those of OpenBLAS have nothing to do here, and those of polars cost more than they save where
    the table or the folder at `place` is small. A user's own settings stay.
    """
    wanted = {"OPENBLAS_NUM_THREADS": "1"}
    if _is_small(place):
        wanted["POLARS_MAX_THREADS"] = "1"
    return variables_set({name: os.environ.get(name, value) for name, value in wanted.items()})


def _is_small(place: Path) -> bool:
    """Whether the history at `place` is known to be small; that of a folder by its cache."""
    try:
        if place.is_file():
            return place.stat().st_size < SMALL_TABLE
        with os.scandir(place / layout.CACHE) as files:
            return sum(file.stat().st_size for file in files) < SMALL_TABLE
    except OSError:
        return False
