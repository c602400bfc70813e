"""The history that a command reads: of the runs folder, or of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.system.errors import UserError
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.history.selection import History


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
    if history.damaged:
        click.echo(
            f"postertui: {place}: left out {pluralize(history.damaged, 'damaged run')}; "
            "`postertui doctor` says what is wrong",
            err=True,
        )
    if history.table.is_empty():
        raise UserError(f"{place}: no finished epoch yet", exit_code=3)
    return history
