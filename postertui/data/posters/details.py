"""Reading a user's table of details for a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.details.giveaways import find_giveaways
from postertui.data.details.info import ColumnKind, DetailsInfo
from postertui.data.details.kinds import detect_kind, typed_column
from postertui.data.details.table import ID, Details
from postertui.data.ids import find_id_column
from postertui.system.errors import UserError
from postertui.system.text import pluralize
from postertui.tabular import Table, read_tabular
from postertui.tabular.dialect import describe_names


@dataclass(frozen=True)
class DetailsInput:
    """A table of details as read, before it is known which posters can be read.

    `repeated` counts further rows of an id, of which the first is taken.
    """

    path: Path
    details: Details
    id_column: str
    repeated: int = 0

    def of_posters(self, ids: NDArray[np.int64]) -> Details:
        """The details of those posters alone."""
        frame = self.details.frame
        return Details(frame.filter(pl.col(ID).is_in(ids.tolist())), self.details.kinds)

    def describe(self) -> str:
        """How the table was read, in a line."""
        columns = ", ".join(f"{name} ({kind})" for name, kind in self.details.kinds.items())
        rows = pluralize(len(self.details.frame), "row")
        again = f"; {self.repeated} repeated, the first taken" if self.repeated else ""
        return f"{self.path}: details, {rows}{again}; ids in {self.id_column}; {columns}"


def read_details_input(path: Path, posters: NDArray[np.int64]) -> DetailsInput:
    """A user's table of details.

    Parameters
    ----------
    posters
        (n,) ids of the labelled posters.

    Raises
    ------
    UserError
        Where the table has no ids, none of the posters', or no other column.
    """
    table = read_tabular(path)
    column = find_id_column(table, posters)
    kinds = {name: detect_kind(table, name) for name in table.names if name != column.name}
    if not kinds:
        raise UserError(f"{path}: has ids ({column.name}) and no details")
    details, repeated = _as_details(table, column.ids, kinds)
    if not details.has(posters).any():
        raise UserError(
            f"{path}: none of its {len(details.frame)} ids (column `{column.name}`) is a "
            f"labelled poster's (such as {posters[0]})"
        )
    return DetailsInput(path, details, column.name, repeated)


def read_details_of_kinds(path: Path, kinds: dict[str, ColumnKind]) -> Details:
    """A user's table whose columns are to be of certain kinds.

    Parameters
    ----------
    kinds
        The columns to take, by name.

    Raises
    ------
    UserError
        For a table without ids or without one of the columns.
    """
    table = read_tabular(path)
    for name in kinds:
        if name not in table.columns.columns:
            raise UserError(
                f"{path}: no column `{name[:40]}`; there are {describe_names(table.names)}"
            )
    return _as_details(table, find_id_column(table).ids, kinds)[0]


def details_info(
    details: Details, labels: NDArray[np.uint8], ids: NDArray[np.int64], genres: tuple[str, ...]
) -> DetailsInfo:
    """What a description says of `details`; `labels` (n, genres) are those of the posters `ids`."""
    has_details = details.has(ids)
    rows = details.rows(ids[has_details])
    return DetailsInfo(
        columns=details.kinds,
        posters=int(has_details.sum()),
        digest=details.digest,
        gives_away=find_giveaways(rows, details.kinds, labels[has_details], genres),
    )


def _as_details(table: Table, ids: pl.Series, kinds: dict[str, ColumnKind]) -> tuple[Details, int]:
    columns = [typed_column(table, name, kind) for name, kind in kinds.items()]
    if ID in kinds:
        raise UserError(f"{table.path}: two columns of ids, `{ID}` and another; rename `{ID}`")
    frame = pl.DataFrame([ids.cast(pl.Int64).alias(ID), *columns]).drop_nulls(ID)
    unique = frame.unique(ID, keep="first", maintain_order=True)
    return Details(unique, kinds), len(frame) - len(unique)
