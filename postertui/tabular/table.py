"""A table's columns, their types, and where a value stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.system.errors import UserError
from postertui.tabular.dialect import is_unnamed

#: What stands for a missing value in text.
MISSING = (
    "", "NA", "NaN", "nan", "NAN", "-nan", "null", "NULL", "N/A", "n/a", "#N/A", "<NA>", "None",
    "\\N",
)  # fmt: skip

_DECIMAL_COMMA = r"^[-+]?\d*,\d+([eE][-+]?\d+)?$"
_DECIMAL_POINT = r"^[-+]?\d*\.\d*([eE][-+]?\d+)?$"
_NUMBER = r"^[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?$"

_KINDS = {pl.Int64: "a whole number", pl.Float64: "a number", pl.Boolean: "true or false"}


@dataclass(frozen=True)
class Table:
    """Columns as a file has them. Those of text are all strings, null where nothing stood.

    Columns without a name of their own, such as an index that R or pandas wrote, have a made-up one
    (`is_unnamed`).

    Parameters
    ----------
    separator, encoding
        Of a text; empty for Parquet.
    lines
        (rows,) the line at which each begins in the file, from 1; None for Parquet.
    sections
        (rows,) from 0: a header that is repeated further down is left out and begins a new section.
        None where there is one section.
    notes
        What a user should read about it, a line each.
    """

    path: Path
    columns: pl.DataFrame
    separator: str = ""
    encoding: str = ""
    lines: NDArray[np.int64] | None = None
    sections: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def is_text(self) -> bool:
        return self.lines is not None

    @property
    def names(self) -> list[str]:
        """The columns that have a name of their own."""
        return [name for name in self.columns.columns if not is_unnamed(name)]

    def where(self, row: int) -> str:
        """The file and line (for Parquet: the row, from 1) of a row that counts from 0."""
        if self.lines is None:
            return f"{self.path}, row {row + 1}"
        return f"{self.path}, line {self.lines[row]}"

    @cached_property
    def decimal_comma(self) -> bool:
        """Whether numbers have a comma where others have a point, decided over the whole table."""
        if not self.is_text or self.separator == ",":
            return False
        if not any(column.str.contains(",", literal=True).any() for column in self.columns):
            return False
        comma = False
        for column in self.columns:
            values = column.str.strip_chars()
            values = values.filter(values.is_not_null() & ~values.is_in(MISSING))
            if not len(values) or not values.str.contains(_NUMBER).all():
                continue
            if values.str.contains(_DECIMAL_POINT).any():
                return False
            comma = comma or bool(values.str.contains(_DECIMAL_COMMA).any())
        return comma

    def text(self, name: str) -> pl.Series:
        """The column as text without blanks at the ends, null where a value is missing."""
        column = self.columns[name]
        if column.dtype != pl.String:
            if column.dtype.is_nested() or column.dtype == pl.Binary:
                return pl.Series(name, [None], pl.String).new_from_index(0, len(column))
            return column.cast(pl.String, strict=False)
        column = column.str.strip_chars()
        return column.set(column.is_in(MISSING), None)

    def cast_all(self, types: Mapping[str, type[pl.DataType]]) -> dict[str, pl.Series]:
        """`cast` of several columns, those of plain numbers together, which is far quicker.

        Raises as `cast` does.
        """
        text = self.columns
        numbers = [c for c, t in types.items() if self.is_text and t in (pl.Float64, pl.Int64)]
        plain = text.select(pl.col(c).cast(types[c], strict=False) for c in numbers)
        failed = [c for c in numbers if plain[c].null_count() != text[c].null_count()]
        is_missing = text.select(
            pl.col(c).filter(plain[c].is_null()).drop_nulls().is_in(MISSING).all() for c in failed
        )
        finite = plain.select(
            pl.when(pl.col(c).is_finite()).then(pl.col(c)) if types[c] is pl.Float64 else c
            for c in numbers
            if c not in failed or is_missing[c].all()
        )
        return {c: finite[c] if c in finite.columns else self.cast(c, t) for c, t in types.items()}

    def cast(self, name: str, dtype: type[pl.DataType]) -> pl.Series:
        """The column as `dtype`, undefined and infinite numbers null.

        Raises `UserError` with file, line and column at the first value that is none of `dtype`.
        """
        column = self.columns[name]
        if self.is_text and dtype in (pl.Float64, pl.Int64):
            plain = column.cast(dtype, strict=False)
            if plain.null_count() == column.null_count():
                return _finite(plain)
        if self.is_text:
            column = column.str.strip_chars()
            if dtype is not pl.String:
                column = column.set(column.is_in(MISSING), None)
        numbers = column
        if dtype is pl.Float64 and column.dtype == pl.String and self.decimal_comma:
            numbers = column.str.replace(",", ".", literal=True)
        cast = _cast(numbers, dtype)
        wrong = column.is_not_null() & cast.is_null()
        if column.dtype.is_float():
            wrong = (column.is_finite() & cast.is_null()).fill_null(value=False)
        rows = wrong.arg_true()
        if len(rows):
            row = rows[0]
            raise UserError(
                f"{self.where(row)}, column `{name}`: {_shown(column[row])} is not "
                f"{_KINDS.get(dtype, 'text')}"
            )
        return _finite(cast)


def _finite(column: pl.Series) -> pl.Series:
    """The column with undefined and infinite numbers null."""
    if column.dtype != pl.Float64:
        return column
    is_finite = column.is_finite()
    return column if is_finite.all() else column.set(~is_finite, None)


def _cast(column: pl.Series, dtype: type[pl.DataType]) -> pl.Series:
    if column.dtype == dtype:
        return column
    if dtype is pl.Boolean and column.dtype == pl.String:
        text = column.str.to_lowercase()
        return text.replace_strict(
            ["true", "t", "1", "false", "f", "0"],
            [True, True, True, False, False, False],
            default=None,
            return_dtype=pl.Boolean,
        )
    if dtype is pl.Int64:
        return _cast_whole(column)
    if column.dtype.is_nested() or column.dtype.is_temporal():
        return pl.Series(column.name, [None], dtype).new_from_index(0, len(column))
    return column.cast(dtype, strict=False)


def _cast_whole(column: pl.Series) -> pl.Series:
    whole = column.cast(pl.Int64, strict=False)
    if column.dtype.is_integer():
        return whole
    number = column.cast(pl.Float64, strict=False)
    integral = number.set(number.is_null() | (number != number.floor()), None)
    whole = whole.set(number != number.floor(), None)
    return whole.zip_with(whole.is_not_null(), integral.cast(pl.Int64, strict=False))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}…'"
