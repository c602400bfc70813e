"""From the text of a table to columns of strings."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.system.errors import UserError
from postertui.tabular.dialect import MAX_FIELD, Dialect

Lines = NDArray[np.int64]


@dataclass(frozen=True)
class ParsedText:
    """Columns of strings, null where nothing stood, and the line at which each row begins.

    `literal_quotes` counts the fields that begin with a quote which does not quote them.
    """

    columns: pl.DataFrame
    lines: Lines
    literal_quotes: int = 0


def parse_text(
    path: Path, data: bytes, dialect: Dialect, *, is_regular: bool = False
) -> ParsedText:
    """The records below the header, blank ones left out.

    Where every line has as many fields as the header without a look at quotes, no quote can hide a
    separator or a line end, and the lines are split by a fast reader; otherwise one record after
    the other.

    Parameters
    ----------
    is_regular
        Whether `count_regular` has found the lines below the header regular before.

    Raises
    ------
    UserError
        With the line of a record that has another number of fields, or a quote that is not closed.
    """
    body = data[dialect.body :]
    if dialect.row_names:
        # R's write.table escapes a quote by a backslash, nothing else does.
        body = body.replace(b'\\"', b'""')
    count = _count_lines(body) if is_regular else count_regular(body, dialect)
    if count is not None:
        parsed = _split(path, body, dialect.line + np.arange(count), dialect)
    else:
        parsed = _parse_irregular(path, body, dialect)
    if parsed.columns.is_empty() or (count is not None and not _may_have_blank(body, dialect)):
        return parsed
    blank = parsed.columns.select(
        pl.all_horizontal(pl.all().is_null() | (pl.all() == ""))
    ).to_series()
    if not blank.any():
        return parsed
    return ParsedText(
        parsed.columns.filter(~blank), parsed.lines[~blank.to_numpy()], parsed.literal_quotes
    )


def _count_lines(body: bytes) -> int:
    return body.count(b"\n") + (not body.endswith(b"\n"))


def count_regular(body: bytes, dialect: Dialect) -> int | None:
    """How many lines there are, where each has all its separators; None where one lacks some.

    Blank lines, and lines longer than a field may be, are not regular.
    """
    separators = len(dialect.names) - 1
    if not body or not separators:
        return None
    data = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not body.endswith(b"\n"):
        ends = np.append(ends, len(body))
    counts = np.searchsorted(np.flatnonzero(data == ord(dialect.separator)), ends)
    longest = int(np.diff(ends, prepend=-1).max())
    is_regular = bool((np.diff(counts, prepend=0) == separators).all()) and longest <= MAX_FIELD
    return len(ends) if is_regular else None


def _may_have_blank(body: bytes, dialect: Dialect) -> bool:
    """Whether a regular body may have a record in which nothing stands."""
    blank = dialect.separator.encode() * (len(dialect.names) - 1)
    return b'"' in body or body.startswith(blank) or b"\n" + blank in body


def _parse_irregular(path: Path, body: bytes, dialect: Dialect) -> ParsedText:
    """Lines of which some are blank, or have quoted separators, or are wrong."""
    raw = body.split(b"\n")
    separators = len(dialect.names) - 1
    mark = dialect.separator.encode()
    has_text = [bool(line.strip(b" \t")) for line in raw]
    is_plain = all(
        line.count(mark) == separators for line, kept in zip(raw, has_text, strict=True) if kept
    )
    if not is_plain and b'"' not in body:
        _raise_for_width(path, raw, dialect)
    if is_plain and max(map(len, raw), default=0) <= MAX_FIELD:
        lines = np.flatnonzero(has_text).astype(np.int64) + dialect.line
        kept_lines = (line for line, kept in zip(raw, has_text, strict=True) if kept)
        return _split(path, b"\n".join(kept_lines), lines, dialect)
    return _read_records(path, body, dialect)


def _split(path: Path, body: bytes, lines: Lines, dialect: Dialect) -> ParsedText:
    """The fields of lines without a quoted separator or line end."""
    schema = dict.fromkeys(dialect.names, pl.String)
    if not len(lines):
        return ParsedText(pl.DataFrame(schema=schema), lines)
    try:
        frame = pl.read_csv(
            body,
            has_header=False,
            separator=dialect.separator,
            quote_char=None,
            schema=schema,
            raise_if_empty=False,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise UserError(f"{path}: not a table: {str(error).splitlines()[0][:200]}") from None
    if frame.height != len(lines):
        raise UserError(f"{path}: {len(lines)} lines were read as {frame.height} rows")
    if b'"' not in body:
        return ParsedText(frame, lines)
    return _unquote(path, frame, lines, dialect)


def _unquote(path: Path, frame: pl.DataFrame, lines: Lines, dialect: Dialect) -> ParsedText:
    """Take the quotes off quoted fields; one that is no whole quotation stays as it is.

    Between tabs such fields are plain text (IMDb's tables); elsewhere a quote was lost.
    """
    literal = 0
    columns = []
    for column in frame:
        begins = column.str.starts_with('"').fill_null(value=False)
        if not begins.any():
            columns.append(column)
            continue
        inner = column.str.strip_prefix('"').str.strip_suffix('"')
        whole = (
            begins
            & column.str.ends_with('"')
            & (column.str.len_chars() > 1)
            & ~inner.str.replace_all('""', "", literal=True).str.contains('"', literal=True)
        ).fill_null(value=False)
        if wrong := int((begins & ~whole).sum()):
            if dialect.separator != "\t":
                row = int((begins & ~whole).arg_true()[0])
                raise UserError(f"{path}, line {lines[row]}: a quote is not closed")
            literal += wrong
        unquoted = inner.str.replace_all('""', '"', literal=True)
        columns.append(unquoted.zip_with(whole, column))
    return ParsedText(pl.DataFrame(columns), lines, literal)


def _read_records(path: Path, body: bytes, dialect: Dialect) -> ParsedText:
    """One record after the other, with quotes as RFC 4180 has them."""
    csv.field_size_limit(MAX_FIELD)
    text = io.StringIO(body.decode(), newline="")
    reader = csv.reader(text, delimiter=dialect.separator, strict=True)
    width = len(dialect.names)
    records: list[list[str]] = []
    lines: list[int] = []
    start = dialect.line
    try:
        for record in reader:
            if len(record) == width:
                records.append(record)
                lines.append(start)
            elif any(field.strip() for field in record):
                raise UserError(f"{path}, line {start}: has {len(record)} fields, not {width}")
            start = dialect.line + reader.line_num
    except csv.Error as error:
        raise UserError(f"{path}, line {start}: a quote is not closed ({error})") from None
    columns = zip(*records, strict=True) if records else [[]] * width
    series = [
        pl.Series(name, values, dtype=pl.String)
        for name, values in zip(dialect.names, columns, strict=True)
    ]
    frame = pl.DataFrame(series).with_columns(pl.all().replace("", None))
    return ParsedText(frame, np.array(lines, np.int64))


def _raise_for_width(path: Path, raw: list[bytes], dialect: Dialect) -> None:
    mark, width = dialect.separator.encode(), len(dialect.names)
    for number, line in enumerate(raw, dialect.line):
        fields = line.count(mark) + 1
        if fields != width and line.strip():
            raise UserError(f"{path}, line {number}: has {fields} fields, not {width}")
