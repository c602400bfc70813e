"""Ids of films: as numbers, with IMDb's `tt`, or in the name of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.system.errors import UserError
from postertui.tabular import Table
from postertui.tabular.dialect import describe_names, is_unnamed

Ids = NDArray[np.int64]

#: Columns that hold ids, by preference, in small letters and without `_` and blanks.
_NAMES = (
    "id", "imdbid", "tconst", "imdb", "tmdbid", "tmdb", "movieid", "filmid", "posterid",
    "imdbtitleid", "titleid", "filename", "file", "image", "imagename", "imagepath",
    "imagefile", "poster", "path", "movieimdblink", "imdblink", "imdburl",
)  # fmt: skip

_PLAIN = re.compile(r"(?:tt)?(\d{1,18})", re.ASCII | re.IGNORECASE)
_IMDB = re.compile(r"(?<![A-Za-z0-9])tt(\d{5,18})(?![0-9])", re.ASCII | re.IGNORECASE)
_PAGE = r"^\s*https?://[^/]*(?:imdb|themoviedb)[^/]*/(?:[^?#]*/)?(?:title|movie)/((?:tt)?\d+)"
_DIGITS = re.compile(r"\d+", re.ASCII)

#: Suffixes of image files, in any case.
IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif",
)  # fmt: skip


def id_of_stem(stem: str) -> int | None:
    """The id in a file's name without its suffix: `862`, `tt0114709`, `862_poster`.

    None where the name holds none, or several numbers none of which is IMDb's.
    """
    if match := _PLAIN.fullmatch(stem):
        return int(match[1])
    imdb = _IMDB.findall(stem)
    numbers = imdb or _DIGITS.findall(stem)
    if len(numbers) != 1 or len(numbers[0]) > 18:
        return None
    return int(numbers[0])


def is_plain_stem(stem: str) -> bool:
    """Whether a file's name is an id and nothing else."""
    return _PLAIN.fullmatch(stem) is not None


def parse_ids(texts: pl.Series) -> pl.Series:
    """Ids as int64 (n,), null where a text is none.

    Understood are `862`, `862.0`, `tt0114709`, names of files such as `posters/862.jpg`, and the
    addresses of IMDb's and TMDB's pages of films.
    """
    page = texts.str.extract(_PAGE)
    texts = page.zip_with(page.is_not_null(), texts)
    base = texts.str.strip_chars().str.replace(r"^.*[/\\]", "")
    suffixes = "|".join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)
    is_file = base.str.contains(f"(?i)(?:{suffixes})$").fill_null(value=False)
    plain = base.str.extract(r"^(?i:tt)?0*?(\d{1,18})(?:\.0+)?$")
    ids = plain.cast(pl.Int64, strict=False)
    if is_file.any():
        stems = base.str.replace(f"(?i)(?:{suffixes})$", "")
        of_file = pl.Series(
            [id_of_stem(s) if f and s else None for s, f in zip(stems, is_file, strict=True)],
            dtype=pl.Int64,
        )
        ids = of_file.zip_with(is_file, ids)
    return ids


@dataclass(frozen=True)
class IdColumn:
    """The column with the ids: int64, null where a row has none."""

    name: str
    ids: pl.Series


def find_id_column(table: Table, posters: Ids | None = None, name: str | None = None) -> IdColumn:
    """The column of a table that holds the films' ids.

    Parameters
    ----------
    posters
        The ids of the posters: of several columns that could be it, it is the one that has most of
        them.
    name
        The column, where the user named it.

    Raises
    ------
    UserError
        Where there is none, or two fit about equally well.
    """
    if name is not None:
        if name not in table.columns.columns:
            raise UserError(
                f"{table.path}: no column `{name[:40]}`; there are {describe_names(table.names)}"
            )
        return IdColumn(name, parse_ids(table.text(name)))
    candidates = [IdColumn(c, parse_ids(table.text(c))) for c in _candidates(table)]
    if not candidates:
        headless = bool(table.names) and not parse_ids(pl.Series(table.names[:1])).has_nulls()
        raise UserError(
            f"{table.path}: no column of ids, such as id, imdb_id, movieId or filename, only "
            f"{describe_names(table.names)}; "
            + (
                "the first line must name the columns: write id,genres above it"
                if headless
                else "name it with --id-column"
            )
        )
    if posters is None:
        return candidates[0]
    counts = [_matches(candidate.ids, posters) for candidate in candidates]
    best = int(np.argmax(counts))
    for other, count in enumerate(counts):
        is_close = 2 * count > counts[best] > 0
        if other != best and is_close and not candidates[other].ids.equals(candidates[best].ids):
            raise UserError(
                f"{table.path}: the posters' names could be of the column "
                f"`{candidates[best].name}` ({counts[best]} fit) or `{candidates[other].name}` "
                f"({count} fit); name it with --id-column"
            )
    return candidates[best]


def _candidates(table: Table) -> Sequence[str]:
    columns = table.columns.columns
    by_name = {c: re.sub(r"[_\s-]", "", c.lower()) for c in columns}
    named = [c for c in columns if by_name[c] in _NAMES and _mostly_ids(parse_ids(table.text(c)))]
    if named:
        return sorted(named, key=lambda c: _NAMES.index(by_name[c]))
    if any(by_name[c] == "id" for c in columns):
        return [next(c for c in columns if by_name[c] == "id")]
    # An index that pandas or R wrote may be the ids.
    first = columns[0]
    is_index = is_unnamed(first) and _mostly_ids(parse_ids(table.text(first)))
    return (
        [first] if is_index and parse_ids(table.text(first)).max() != len(table.columns) - 1 else []
    )


def _mostly_ids(ids: pl.Series) -> bool:
    return len(ids) == 0 or ids.null_count() < len(ids) / 2


def _matches(ids: pl.Series, posters: Ids) -> int:
    return int(np.isin(ids.drop_nulls().unique().to_numpy(), posters).sum())
