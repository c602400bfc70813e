"""What the columns of a table of details hold: numbers, categories, lists or text."""

from __future__ import annotations

import polars as pl

from postertui.data.details.info import ColumnKind
from postertui.tabular import Table

#: What joins the items of a list.
SEPARATOR = "|"

#: A text column has more distinct values than this share of its cells, or this many words a cell.
TEXT_SHARE = 0.5
TEXT_WORDS = 4

_TYPES: dict[ColumnKind, pl.DataType] = {
    "number": pl.Float64(),
    "category": pl.String(),
    "list": pl.List(pl.String()),
    "text": pl.String(),
}


def column_type(kind: ColumnKind) -> pl.DataType:
    """The polars type of a column of that kind."""
    return _TYPES[kind]


def detect_kind(table: Table, name: str) -> ColumnKind:
    """What the column holds, by all of its cells."""
    values = table.text(name).drop_nulls()
    if not len(values):
        return "category"
    if not _as_numbers(table, values).has_nulls():
        return "number"
    if values.str.contains(SEPARATOR, literal=True).any():
        return "list"
    words = values.str.split(" ").list.len().mean()
    is_mostly_distinct = values.n_unique() > TEXT_SHARE * len(values) and len(values) > 20
    if is_mostly_distinct or (isinstance(words, float) and words >= TEXT_WORDS):
        return "text"
    return "category"


def typed_column(table: Table, name: str, kind: ColumnKind) -> pl.Series:
    """The column in its kind's type; null where nothing stands or a number cannot be read."""
    values = table.text(name)
    if kind == "number":
        return _as_numbers(table, values).alias(name)
    if kind == "list":
        items = values.str.split(SEPARATOR).list.eval(pl.element().str.strip_chars())
        return items.list.eval(pl.element().filter(pl.element() != "")).alias(name)
    return values.alias(name)


def _as_numbers(table: Table, values: pl.Series) -> pl.Series:
    if table.decimal_comma:
        values = values.str.replace(",", ".", literal=True)
    numbers = values.cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite(), None)
