"""Tables as they come: text or Parquet into untyped columns that know their file and line.

What is written by R, polars, pandas or a spreadsheet is taken: tabs, commas or semicolons, either
line ending, a byte order mark, UTF-16, quotes. Everything else is refused with file and line.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postertui.system.errors import UserError

#: What stands for a missing value in text.
MISSING = ("", "NA", "NaN", "nan", "NAN", "null", "N/A")

#: Larger fields are no table's, and a lost closing quote makes one.
_MAX_FIELD = 100_000


@dataclass(frozen=True)
class RawTable:
    """Columns as a file has them. Those of text are all strings, null where nothing stood."""

    path: Path
    columns: pl.DataFrame
    is_text: bool

    def where(self, row: int) -> str:
        """The file and the line (for Parquet: the row, from 1) of a row that counts from 0."""
        if not self.is_text:
            return f"{self.path}, row {row + 1}"
        above = self.columns.head(row)
        breaks = sum(int(column.str.count_matches("\n").sum()) for column in above)
        return f"{self.path}, line {row + 2 + breaks}"

    def cast(self, name: str, dtype: type[pl.DataType]) -> pl.Series:
        """The column as `dtype`, undefined and infinite numbers null.

        Raises `UserError` with file, line and column at the first value that is none of `dtype`.
        """
        column = self.columns[name]
        if self.is_text:
            column = column.str.strip_chars()
            if dtype is not pl.String:
                column = column.set(column.is_in(MISSING), None)
        cast = _cast(column, dtype)
        wrong = (column.is_not_null() & cast.is_null()).arg_true()
        if column.dtype.is_float():
            wrong = (column.is_finite() & cast.is_null()).fill_null(value=False).arg_true()
        if len(wrong):
            row = wrong[0]
            kind = {pl.Int64: "a whole number", pl.Float64: "a number", pl.Boolean: "true or false"}
            raise UserError(
                f"{self.where(row)}, column `{name}`: {_shown(column[row])} is not "
                f"{kind.get(dtype, 'text')}"
            )
        if dtype is pl.Float64:
            cast = cast.set(~cast.is_finite(), None)
        return cast


def read_text(path: Path) -> RawTable:
    """The table in a text file, every column a string.

    Raises `UserError` with file and line where a line has too few or too many fields.
    """
    data = _read_bytes(path)
    header, separator = _header(path, data)
    try:
        frame = pl.read_csv(
            data, separator=separator, infer_schema=False, encoding="utf8", raise_if_empty=False
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        _raise_for_first_bad_line(path, data, separator, len(header))
        raise UserError(f"{path}: not a table: {str(error).splitlines()[0]}") from None
    if frame.width != len(header):
        _raise_for_first_bad_line(path, data, separator, len(header))
        raise UserError(f"{path}: its lines do not have the {len(header)} fields of its header")
    frame.columns = header
    # polars fills up a short line; only one whose last field is missing can be short.
    if frame.height and frame[:, -1].null_count():
        _raise_for_first_bad_line(path, data, separator, len(header))
    return RawTable(path, frame, is_text=True)


def read_parquet(path: Path) -> RawTable:
    """The table in a Parquet file. Raises `UserError` where it is none."""
    try:
        with _panics_unseen():
            frame = pl.read_parquet(path, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a whole Parquet file: {reason}") from None
    return RawTable(path, frame, is_text=False)


@contextmanager
def _panics_unseen() -> Iterator[None]:
    """Within this nothing reaches standard error.

    On a damaged file polars' reader panics in a thread of its own, which writes a backtrace there
    before Python hears of it.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _read_bytes(path: Path) -> bytes:
    """The file as UTF-8 with newlines, without a byte order mark and leading blank lines."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            data = data.decode("utf-16").encode()
        data = data.removeprefix(b"\xef\xbb\xbf")
        if not data.isascii():
            data.decode()
    except UnicodeError as error:
        position = getattr(error, "start", 0)
        line = data.count(b"\n", 0, position) + 1
        raise UserError(f"{path}, line {line}: not UTF-8 text; save the table as UTF-8") from None
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise UserError(f"{path}, line {line}: not a text file: it contains a NUL byte")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def _header(path: Path, data: bytes) -> tuple[list[str], str]:
    """The column names and the separator: the one that gives the most names."""
    first = data.split(b"\n", 1)[0].decode()
    if not first.strip():
        raise UserError(f"{path}, line 1: is empty; the first line must name the columns")
    found: list[str] = []
    separator = "\t"
    for candidate in "\t,;":
        names = next(csv.reader([first[:_MAX_FIELD]], delimiter=candidate), [])
        if len(names) > len(found):
            found, separator = [n.strip() for n in names], candidate
    twice = sorted({n for n in found if n and found.count(n) > 1})
    if twice:
        raise UserError(f"{path}, line 1: the column `{twice[0]}` is there twice")
    # Row names (R, pandas) come under an empty name, and spreadsheets leave empty columns behind.
    named = [n or f"(column {i + 1})" for i, n in enumerate(found)]
    return named, separator


def _raise_for_first_bad_line(path: Path, data: bytes, separator: str, fields: int) -> None:
    """Look at each line again, slowly, for the one that has another number of fields."""
    if b'"' not in data:
        counts = data.split(b"\n")
        for number, line in enumerate(counts, 1):
            found = line.count(separator.encode()) + 1
            if line.strip() and found != fields:
                raise UserError(f"{path}, line {number}: has {found} fields, not {fields}")
        return
    csv.field_size_limit(_MAX_FIELD)
    reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for row in reader:
            if row and len(row) != fields:
                raise UserError(f"{path}, line {start}: has {len(row)} fields, not {fields}")
            start = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, line {start}: a quote is not closed ({error})") from None


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
        whole = column.cast(pl.Int64, strict=False)
        if not column.dtype.is_integer():
            number = column.cast(pl.Float64, strict=False)
            integral = number.set(number.is_null() | (number != number.floor()), None)
            whole = whole.set(number != number.floor(), None)
            whole = whole.zip_with(whole.is_not_null(), integral.cast(pl.Int64, strict=False))
        return whole
    if column.dtype.is_nested() or column.dtype.is_temporal():
        return pl.Series(column.name, [None], dtype).new_from_index(0, len(column))
    return column.cast(dtype, strict=False)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}…'"
