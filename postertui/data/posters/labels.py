"""The CSV of labels: `id,genres` with genres joined by `|`, or one 0/1 column per genre."""

from __future__ import annotations

import csv
import re
import unicodedata
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postertui.system.errors import UserError

_ID = re.compile(r"\d{1,18}", re.ASCII)
_FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_HINT = "a label file has the columns id,genres (genres joined by |), or id and one 0/1 column each"
#: Longer than any row of labels; a quote that is never closed makes one.
_MAX_FIELD = 1_000_000


class PosterLabels:
    """Which genres which poster has.

    `genres` in the order of the columns, or of the alphabet where they come joined; `ids` int64
    (n,), ascending and without duplicates.
    """

    def __init__(self, path: Path) -> None:
        """Read the CSV at `path`. Raises `UserError` with file, line and column."""
        self.path = path
        self._genres: dict[str, int] = {}
        ids, ends, members = array("q"), array("q", [0]), array("i")
        rows = _rows(path)
        line, header = next(rows, (1, []))
        columns = _columns(path, line, header)
        wide = "genres" not in columns
        if wide:
            self._genres = {c: i for i, c in enumerate(c for c in columns if c != "id")}
        id_column = columns.index("id")
        for line, row in rows:
            if len(row) != len(columns):
                raise UserError(
                    f"{path}, line {line}: has {len(row)} fields, not {len(columns)} as line 1"
                )
            text = row[id_column].strip()
            if not _ID.fullmatch(text):
                raise UserError(f"{path}, line {line}, column `id`: {text!r:.40} is not a number")
            ids.append(int(text))
            if wide:
                members.extend(self._flagged(line, columns, row))
            else:
                members.extend(self._joined(row[1 - id_column]))
            ends.append(len(members))
        if not ids:
            raise UserError(f"{path}: has no labels, only a header; {_HINT}")
        if not self._genres:
            raise UserError(f"{path}: names no genre; {_HINT}")
        self.genres = (
            tuple(self._genres)
            if wide
            else tuple(sorted(self._genres, key=lambda g: (g.casefold(), g)))
        )
        place = {genre: i for i, genre in enumerate(self.genres)}
        new = np.array([place[g] for g in self._genres], np.int32)
        self._members = new[np.frombuffer(members, np.int32)] if members else new[:0]
        self._ends = np.frombuffer(ends, np.int64)
        all_ids = np.frombuffer(ids, np.int64)
        self._order = np.argsort(all_ids, kind="stable")
        self.ids: NDArray[np.int64] = all_ids[self._order]
        twice = np.flatnonzero(self.ids[1:] == self.ids[:-1])
        if len(twice):
            again = min(int(self._order[i + 1]) for i in twice)
            raise UserError(
                f"{path}, line {_line_of_row(path, again)}: duplicate id {all_ids[again]}; "
                "a poster has one line"
            )

    def matrix(self, ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The labels of the posters `ids`, all of which are in the file: uint8 (n, genres)."""
        labels = np.zeros((len(ids), len(self.genres)), np.uint8)
        for row, index in enumerate(self._order[np.searchsorted(self.ids, ids)]):
            labels[row, self._members[self._ends[index] : self._ends[index + 1]]] = 1
        return labels

    def _joined(self, text: str) -> Iterator[int]:
        for part in text.split("|"):
            if genre := _clean(part):
                yield self._genres.setdefault(genre, len(self._genres))

    def _flagged(self, line: int, columns: list[str], row: list[str]) -> Iterator[int]:
        for column, text in zip(columns, row, strict=True):
            if column == "id":
                continue
            flag = _FLAGS.get(text.strip())
            if flag is None:
                raise UserError(
                    f"{self.path}, line {line}, column `{column[:40]}`: unknown column, or a label "
                    f"that is neither 0 nor 1 ({text[:40]!r}); {_HINT}"
                )
            if flag:
                yield self._genres[column]


def _columns(path: Path, line: int, header: list[str]) -> list[str]:
    columns = [_clean(c) for c in header]
    columns = [c.lower() if c.lower() in ("id", "genres") else c for c in columns]
    if len(columns) == 1:
        for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if separator in columns[0] or separator in header[0]:
                raise UserError(
                    f"{path}, line {line}: its columns are separated by {name}; use commas"
                )
    if "id" not in columns:
        raise UserError(f"{path}, line {line}: no column `id`; {_HINT}")
    for column in columns:
        if not column:
            raise UserError(f"{path}, line {line}: a column has no name; {_HINT}")
        if columns.count(column) > 1:
            raise UserError(f"{path}, line {line}: the column `{column[:40]}` is there twice")
    if "genres" in columns and len(columns) > 2:
        unknown = next(c for c in columns if c not in ("id", "genres"))
        raise UserError(f"{path}, line {line}: unknown column `{unknown[:40]}`; {_HINT}")
    if columns == ["id"]:
        raise UserError(f"{path}, line {line}: no genres; {_HINT}")
    return columns


def _clean(name: str) -> str:
    """A genre as it is shown: composed characters, single blanks, none at the ends."""
    return unicodedata.normalize("NFC", " ".join(name.split()))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line it starts on."""
    csv.field_size_limit(_MAX_FIELD)
    start = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if any(row):
                    yield start, row
                start = reader.line_num + 1
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; give the CSV with the labels") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}, line {start} or after: not UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path}, line {start}: not CSV: {error}") from None


def _line_of_row(path: Path, row: int) -> int:
    return next(line for i, (line, _) in enumerate(_rows(path)) if i == row + 1)
