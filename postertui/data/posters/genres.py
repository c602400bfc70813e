"""Genres in the cells of a table: joined in one column, or a column of 0 and 1 each."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from postertui.data.posters.genre_lists import parse_list
from postertui.system.errors import UserError
from postertui.tabular import Table

#: Columns of joined genres, by preference, in small letters.
_NAMES = ("genres", "genre", "labels", "label", "categories", "category", "tags", "listed_in")

#: Cells without a genre, in small letters, beside those that are missing in any table.
_NO_GENRE = ("(no genres listed)", "none", "unknown genre", "-", "[]", "{}", "[none]")

_SEPARATORS = "|;,"
#: How genres may be joined beside a separator: lists, one genre a cell, a column each.
_LIST, ONE_A_CELL, ONE_A_ROW, _COLUMNS = "list", "none", "rows", ""

_FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "f": 0, "t": 1}

#: A column of numbers with a larger share of 0 and 1 is one of labels with a mistake in it.
_MOSTLY_FLAGS = 0.9

#: More labels than this share of the posters, and more than this number, are no genres.
_MAX_SHARE, _MAX_GENRES = 0.1, 20
_MAX_LETTERS = 80


@dataclass(frozen=True)
class GenreCells:
    """Which genres each row has.

    `genres` are the names in order; `members` one row (row, genre) for each genre of a row, by
    index. `columns` are the table's that were used, `joined` how the names are joined: a separator,
    `list`, `none` for one genre a cell, `rows` for a row each, empty for a column
    each. `notes` are lines for the user.
    """

    genres: tuple[str, ...]
    members: pl.DataFrame
    columns: tuple[str, ...]
    joined: str
    notes: tuple[str, ...] = ()


def read_genres(
    table: Table,
    id_column: str,
    *,
    column: str | None = None,
    joined_by: str | None = None,
) -> GenreCells:
    """The genres of each row of a table.

    Parameters
    ----------
    id_column
        The column of ids, which holds no genre.
    column
        The one with joined genres; None decides over the whole table.
    joined_by
        What joins them; `none` is one genre a cell. None decides over the whole table.

    Raises
    ------
    UserError
        Where the table has no genres, or no such column.
    """
    names = [c for c in table.names if c != id_column]
    if column is not None and column not in names:
        raise UserError(f"{table.path}: no column `{column[:40]}` for the genres")
    flags = {} if column is not None else _flag_columns(table, names)
    text = column or _joined_column(names, flags)
    if text is None and not flags:
        raise UserError(
            f"{table.path}: no genres: neither a column such as `genres` nor a column of 0 and 1 "
            "for each; name the column with --genres-column"
        )
    if text is not None and not _flags_are_genres(table, text, flags, joined_by):
        return _from_joined(table, text, joined_by)
    return _from_flags(flags)


def check_genres(path: object, cells: GenreCells, posters: int) -> None:
    """Raise `UserError` where the genres look as if they were read wrongly."""
    names = cells.genres
    how = describe_joining(cells.joined)
    if odd := next((n for n in names if re.search(r"[\[\]{}]", n) or len(n) >= _MAX_LETTERS), None):
        raise UserError(
            f"{path}: the genre `{odd[:60]}` looks wrong (read as {how}); say what joins genres "
            "with --joined-by, or take them as they are with --any-genres"
        )
    if len(names) > max(_MAX_GENRES, _MAX_SHARE * posters):
        shown = ", ".join(f"`{name[:40]}`" for name in names[:4])
        raise UserError(
            f"{path}: {len(names)} genres of {posters} posters look wrong (read as {how}): {shown} "
            "…; say which column holds them with --genres-column, what joins them with "
            "--joined-by, or take them as they are with --any-genres"
        )


def describe_joining(joined: str) -> str:
    """How genres are joined, in words."""
    names = {
        _LIST: "as lists",
        ONE_A_CELL: "one a cell",
        ONE_A_ROW: "a row each",
        _COLUMNS: "a column each",
    }
    return names.get(joined, f"joined by '{joined}'")


def clean_name(name: str) -> str:
    """A genre as it is shown: composed characters, single blanks, none at the ends."""
    return unicodedata.normalize("NFC", " ".join(name.split()))


def _joined_column(names: Sequence[str], flags: dict[str, pl.Series]) -> str | None:
    by_name = {name.strip().lower(): name for name in names if name not in flags}
    return next((by_name[n] for n in _NAMES if n in by_name), None)


def _flag_columns(table: Table, names: Iterable[str]) -> dict[str, pl.Series]:
    """The columns of 0 and 1, true and false.

    Raises `UserError` for a cell that is neither in a column that is so otherwise.
    """
    flags = {}
    for name in names:
        texts = table.text(name).str.to_lowercase()
        values = texts.replace_strict(_FLAGS, default=None, return_dtype=pl.Int8)
        present, fitting = len(texts) - texts.null_count(), len(values) - values.null_count()
        if not fitting:
            continue
        if fitting < present and fitting > 3 and 2 * fitting > present:
            row = (texts.is_not_null() & values.is_null()).arg_true()[0]
            is_number = re.fullmatch(r"[-+]?[\d.]+", texts[row]) is not None
            if is_number and fitting < _MOSTLY_FLAGS * present:
                continue  # a column of counts
            raise UserError(
                f"{table.where(row)}, column `{name[:40]}`: {table.columns[name][row]!r:.40} is "
                "neither 0 nor 1, as the others are; correct it or take the column out"
            )
        if fitting == present:
            flags[name] = values
    return flags


def _flags_are_genres(
    table: Table, text: str, flags: dict[str, pl.Series], joined_by: str | None
) -> bool:
    """Whether columns of 0 and 1 beside a column of joined genres say the same as that."""
    if len(flags) < 2 or text in flags:
        return text in flags
    try:
        joined = _from_joined(table, text, joined_by)
    except UserError:
        return True
    genre_names = {name.casefold() for name in joined.genres}
    return 2 * sum(clean_name(flag).casefold() in genre_names for flag in flags) > len(flags)


def _from_flags(flags: dict[str, pl.Series]) -> GenreCells:
    spellings = [clean_name(name) for name in flags]
    genres, canonical, notes = _merge_spellings(dict.fromkeys(spellings, 1))
    members = (
        pl.concat(
            pl.DataFrame(
                {"row": values.eq(1).fill_null(value=False).arg_true().cast(pl.Int64)}
            ).with_columns(pl.lit(genres.index(canonical[name])).cast(pl.Int64).alias("genre"))
            for name, values in zip(spellings, flags.values(), strict=True)
        )
        .unique()
        .sort("row", "genre")
    )
    empty = sum(values.null_count() for values in flags.values())
    if empty:
        notes.append(f"{empty} empty cells of genre columns count as 0")
    return GenreCells(tuple(genres), members, tuple(flags), _COLUMNS, tuple(notes))


def _from_joined(table: Table, column: str, joined_by: str | None) -> GenreCells:
    texts = table.text(column)
    texts = texts.set(texts.str.to_lowercase().is_in(_NO_GENRE), None)
    joined = _decide_separator(table, texts, joined_by)
    unique = texts.drop_nulls().unique(maintain_order=True)
    if joined == _LIST:
        rows = texts.is_not_null().arg_true()
        parsed = {}
        for row in rows:
            if (text := texts[row]) not in parsed:
                parsed[text] = parse_list(text, f"{table.where(row)}, column `{column[:40]}`")
    elif joined == ONE_A_CELL:
        parsed = {text: [text] for text in unique}
    else:
        parsed = {text: text.split(joined) for text in unique}
    cleaned = {text: [c for p in parts if (c := _genre(p))] for text, parts in parsed.items()}
    counts: dict[str, int] = {}
    for text, count in texts.drop_nulls().value_counts(name="n").iter_rows():
        for genre in cleaned[text]:
            counts[genre] = counts.get(genre, 0) + count
    genres, canonical, notes = _merge_spellings(counts)
    genres.sort(key=lambda g: (g.casefold(), g))
    place = {genre: i for i, genre in enumerate(genres)}
    of_text = pl.DataFrame(
        {
            "text": list(cleaned),
            "genre": [sorted({place[canonical[g]] for g in names}) for names in cleaned.values()],
        },
        schema={"text": pl.String, "genre": pl.List(pl.Int64)},
    )
    members = (
        pl.DataFrame({"text": texts})
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int64))
        .join(of_text, on="text", how="inner", maintain_order="left")
        .select("row", "genre")
        .explode("genre")
        .drop_nulls()
    )
    _check_mixed(table, texts, genres, joined)
    return GenreCells(tuple(genres), members, (column,), joined, tuple(notes))


def _decide_separator(table: Table, texts: pl.Series, joined_by: str | None) -> str:
    """What joins the genres of a cell, over the whole column."""
    if joined_by is not None:
        return joined_by
    present = texts.drop_nulls()
    lists = present.str.contains(r"^[\[{].*[\]}]$")
    if lists.any():
        if not lists.all():
            row = (texts.is_not_null() & ~texts.str.contains(r"^[\[{].*[\]}]$")).arg_true()[0]
            raise UserError(
                f"{table.where(row)}, column `{texts.name[:40]}`: {texts[row]!r:.40} is not a "
                "list, as other cells are; correct it, or say what joins genres with --joined-by"
            )
        return _LIST
    counts = {s: int(present.str.contains(s, literal=True).sum()) for s in _SEPARATORS}
    best = max(counts, key=lambda s: counts[s])
    if counts[best]:
        return best
    return "/" if present.str.contains("/", literal=True).any() else ONE_A_CELL


def _check_mixed(table: Table, texts: pl.Series, genres: Sequence[str], joined: str) -> None:
    """Raise `UserError` where a genre is others joined in another way than most."""
    genre_names = {genre.casefold() for genre in genres}
    for genre in genres:
        for separator in "|;,":
            parts = [part.strip().casefold() for part in genre.split(separator)]
            if (
                separator != joined
                and len(parts) > 1
                and all(part in genre_names for part in parts)
            ):
                row = texts.str.contains(genre, literal=True).fill_null(value=False).arg_true()
                where = table.where(row[0]) if len(row) else str(table.path)
                raise UserError(
                    f"{where}: `{genre[:40]}` is joined by '{separator}', most others by "
                    f"'{joined}'; correct it, or say what joins genres with --joined-by"
                )


def _genre(text: str) -> str:
    name = clean_name(text)
    return "" if name.casefold() in _NO_GENRE or name in ("\\N", "N/A", "NA") else name


def _merge_spellings(counts: dict[str, int]) -> tuple[list[str], dict[str, str], list[str]]:
    """The genres, each in its most frequent spelling; the spelling to use for each; notes."""
    by_key: dict[str, list[str]] = {}
    for name in counts:
        by_key.setdefault(name.casefold(), []).append(name)
    canonical: dict[str, str] = {}
    genres: list[str] = []
    notes: list[str] = []
    for spellings in by_key.values():
        best = max(sorted(spellings), key=lambda s: (counts[s], s != s.lower()))
        canonical |= dict.fromkeys(spellings, best)
        genres.append(best)
        if len(spellings) > 1:
            others = ", ".join(f"`{s[:40]}`" for s in spellings if s != best)
            notes.append(f"{others} counts as `{best[:40]}`")
    return genres, canonical, notes
