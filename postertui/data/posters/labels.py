"""A table of labels: which genres which poster has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.data.ids import Ids, find_id_column
from postertui.data.posters.genres import (
    ONE_A_CELL,
    ONE_A_ROW,
    GenreCells,
    check_genres,
    read_genres,
)
from postertui.system.errors import UserError
from postertui.tabular import Table, read_tabular
from postertui.tabular.dialect import SEPARATOR_NAMES

#: Rows that are shown as they were read.
_SAMPLE = 5

#: Where more ids than this share have rows that differ, a row says one of its poster's genres.
_MAX_CONTRADICTING = 0.1


@dataclass(frozen=True)
class LabelOptions:
    """What a user says about a table of labels where it does not speak for itself.

    Parameters
    ----------
    joined_by
        What stands between two genres, `list` or `none`.
    strict
        Whether a row that would be left out is an error.
    any_genres
        Whether genres that look wrong are taken.
    """

    encoding: str | None = None
    id_column: str | None = None
    genres_column: str | None = None
    joined_by: str | None = None
    strict: bool = False
    any_genres: bool = False


@dataclass(frozen=True)
class LabelSummary:
    """What was read from a table of labels, to be shown.

    `left_out` pairs a place with the reason, `counts` the posters of each genre, `sample` the
    first rows as read: id and genres.
    """

    rows: int
    encoding: str
    separator: str
    id_column: str
    genre_columns: tuple[str, ...]
    joined: str
    ignored: tuple[str, ...]
    repeated: int
    left_out: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, int], ...]
    sample: tuple[tuple[int, tuple[str, ...]], ...]
    notes: tuple[str, ...]


class PosterLabels:
    """Which genres which poster has.

    `genres` in the order of the columns, or of the alphabet where they come joined; `ids` int64
    (n,), ascending and without duplicates.
    """

    def __init__(
        self, path: Path, posters: Ids | None = None, options: LabelOptions | None = None
    ) -> None:
        """Read the table at `path`; `posters` are the ids that labels are wanted for.

        Raises `UserError` with file, line and column.
        """
        options = options or LabelOptions()
        table = read_tabular(path, options.encoding)
        if not len(table.columns):
            raise UserError(f"{path}: has no labels, only a header")
        column = find_id_column(table, posters, options.id_column)
        cells = read_genres(
            table, column.name, column=options.genres_column, joined_by=options.joined_by
        )
        if not cells.genres:
            raise UserError(f"{path}: names no genre in {', '.join(cells.columns)[:80]}")
        sets = _genre_sets(cells, len(table.columns))
        if cells.joined == ONE_A_CELL and (many := _many_rows_an_id(column.ids, sets)):
            sets = _united(column.ids, sets)
            cells = replace(cells, joined=ONE_A_ROW, notes=(*cells.notes, many))
        rows, left_out, repeated = _one_row_each(table, column.name, column.ids, sets)
        if left_out and options.strict:
            raise UserError(f"{left_out[0][0]}: {left_out[0][1]}")
        if not len(rows):
            raise UserError(
                f"{path}: none of its rows can be used; {left_out[0][0]}: {left_out[0][1]}"
            )
        ids = column.ids.to_numpy()[rows].astype(np.int64)
        order = np.argsort(ids, kind="stable")
        self.path = path
        self.genres = cells.genres
        self.ids: NDArray[np.int64] = ids[order]
        self._sets = [sets[row] for row in rows[order]]
        if not options.any_genres:
            check_genres(path, cells, len(self.ids))
        counts = np.bincount(
            np.array([g for s in self._sets for g in s], np.int64), minlength=len(self.genres)
        )
        self.summary = LabelSummary(
            rows=len(table.columns),
            encoding=table.encoding or "Parquet",
            separator=SEPARATOR_NAMES.get(table.separator, table.separator),
            id_column=column.name,
            genre_columns=cells.columns,
            joined=cells.joined,
            ignored=tuple(n for n in table.names if n not in (column.name, *cells.columns)),
            repeated=0 if cells.joined == ONE_A_ROW else repeated,
            left_out=tuple(left_out),
            counts=tuple(zip(self.genres, counts.tolist(), strict=True)),
            sample=tuple(
                (int(column.ids[int(row)]), tuple(self.genres[g] for g in sets[row]))
                for row in rows[:_SAMPLE]
            ),
            notes=(*table.notes, *cells.notes),
        )

    def matrix(self, ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The labels of the posters `ids`, all of which are in the table: uint8 (n, genres)."""
        labels = np.zeros((len(ids), len(self.genres)), np.uint8)
        for row, index in enumerate(np.searchsorted(self.ids, ids)):
            labels[row, list(self._sets[index])] = 1
        return labels


def _genre_sets(cells: GenreCells, rows: int) -> list[tuple[int, ...]]:
    """The genres of each row, ascending. Equal sets are one object."""
    interned: dict[tuple[int, ...], tuple[int, ...]] = {(): ()}
    sets: list[tuple[int, ...]] = [()] * rows
    grouped = cells.members.sort("row", "genre").group_by("row", maintain_order=True).agg("genre")
    for row, genres in grouped.iter_rows():
        key = tuple(genres)
        sets[row] = interned.setdefault(key, key)
    return sets


def _many_rows_an_id(ids: pl.Series, sets: list[tuple[int, ...]]) -> str:
    """The note on a table with a row for each genre of a poster; empty for others.

    That is one in which more ids than a mistake would explain have rows of different genres.
    """
    frame = pl.DataFrame({"id": ids, "genre": [s[0] if s else None for s in sets]})
    genres = frame.drop_nulls().group_by("id").agg(pl.col("genre").n_unique())["genre"]
    several = int((genres > 1).sum())
    if several <= _MAX_CONTRADICTING * len(genres):
        return ""
    return f"{several} of {len(genres)} ids have several rows, one for each genre"


def _united(ids: pl.Series, sets: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """For each row the genres of all rows of its id."""
    of_id: dict[int, set[int]] = {}
    for value, genres in zip(ids, sets, strict=True):
        of_id.setdefault(value, set()).update(genres)
    return [tuple(sorted(of_id[value])) for value in ids]


def _one_row_each(
    table: Table, id_column: str, ids: pl.Series, sets: list[tuple[int, ...]]
) -> tuple[NDArray[np.int64], list[tuple[str, str]], int]:
    """The rows to use, those that cannot be used with the reason, and how many were repeated."""
    left_out = [
        (
            table.where(row),
            f"column `{id_column[:40]}`: {table.columns[id_column][row]!r:.40} is not an id",
        )
        for row in ids.is_null().arg_true()
    ]
    first: dict[int, int] = {}
    repeated = 0
    contradicting: dict[int, int] = {}
    values = ids.to_list()
    for row, value in enumerate(values):
        if value is None:
            continue
        earlier = first.setdefault(value, row)
        if earlier == row:
            continue
        if sets[earlier] == sets[row]:
            repeated += 1
        else:
            contradicting.setdefault(value, row)
    for value, row in contradicting.items():
        where = table.where(first[value]).rpartition(" ")[2]
        left_out.append((table.where(row), f"{value} has other genres than in line {where}"))
    rows = [row for value, row in first.items() if value not in contradicting]
    return np.array(rows, np.int64), left_out, repeated
