"""The history that a command reads: of the runs folder, or of a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.system.errors import UserError
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.history.selection import History

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
