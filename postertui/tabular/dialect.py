"""How a text table is written: its separator, its header, which quotes it uses."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from postertui.system.errors import UserError

#: Larger fields are no table's, and a lost closing quote makes one.
MAX_FIELD = 1_000_000

#: How many records decide about the separator.
_SAMPLE = 30

#: Separators, by preference where several fit equally well.
_USUAL = "\t,;"
#: Only for a header that has none of the usual ones.
_RARE = "| "
SEPARATOR_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars", " ": "blanks"}

#: The first line that spreadsheets understand: `sep=;`.
_SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Parameters
    ----------
    names
        The columns, with a made-up name for one that has none.
    header
        Their texts as they stand, for finding them again further down.
    body
        The byte at which the first record begins.
    line
        The line of it, from 1.
    row_names
        Whether the header lacks the name of the first column (R).
    """

    separator: str
    names: tuple[str, ...]
    header: tuple[str, ...]
    body: int
    line: int
    row_names: bool = False


def detect_dialect(path: Path, data: bytes) -> Dialect:
    """The dialect of the table in `data`, UTF-8 with `\\n` line ends.

    The separator is the one with which most of the first records have as many fields as the
    header. Raises `UserError` where the first line names no columns, or one twice.
    """
    start, line, forced = _skip_to_header(data)
    if start >= len(data):
        raise UserError(f"{path}, line 1: is empty; the first line must name the columns")
    best: tuple[float, int, str, list[str], list[list[str]], int] | None = None
    for separator in forced or _USUAL + _RARE:
        if separator in _RARE and best is not None and not forced:
            break
        records = _first_records(data, start, separator)
        header, lines = next(records, ([], 1))
        header = [name.strip() for name in header]
        sample = [record for record, _ in records]
        width = len(header)
        fitting = sum(len(record) in (width, width + 1) for record in sample)
        share = fitting / len(sample) if sample else 1.0
        if width > 1 and (best is None or (share, width) > best[:2]):
            best = share, width, separator, header, sample, lines
    if best is None:
        header, lines = next(_first_records(data, start, ","), ([], 1))
        best = 1.0, 1, ",", [name.strip() for name in header], [], lines
    _, width, separator, header, sample, lines = best
    longer = bool(sample) and all(len(record) == width + 1 for record in sample)
    row_names = longer and any(record[-1].strip() for record in sample)
    if row_names:
        header = ["", *header]
    elif longer:
        header = [*header, ""]
    duplicates = sorted({name for name in header if name and header.count(name) > 1})
    if duplicates:
        raise UserError(f"{path}, line {line}: the column `{duplicates[0][:40]}` is there twice")
    body = start
    for _ in range(lines):
        body = data.find(b"\n", body) + 1 or len(data)
    return Dialect(
        separator=separator,
        names=tuple(name or f"(column {i})" for i, name in enumerate(header, 1)),
        header=tuple(header),
        body=body,
        line=line + lines,
        row_names=row_names,
    )


def is_unnamed(name: str) -> bool:
    """Whether a column's name is a made-up one, of this program, pandas, readr."""
    return re.fullmatch(r"\(column \d+\)|Unnamed: \d+|\.\.\.\d+", name) is not None


def _skip_to_header(data: bytes) -> tuple[int, int, str]:
    """Where the header begins, its line, and the separator where a line before it names one."""
    start, line, separator = 0, 1, ""
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        text = data[start:end].strip()
        if not separator and (named := _SEPARATOR_LINE.fullmatch(text)):
            separator = named[1].decode(errors="replace")
        elif text:
            break
        start, line = end + 1, line + 1
    return start, line, separator


def _first_records(data: bytes, start: int, separator: str) -> Iterator[tuple[list[str], int]]:
    """The first records from `start` on, each with the number of lines read so far."""
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(_lines(data, start), delimiter=separator, strict=False)
    try:
        for record in reader:
            if any(field.strip() for field in record):
                yield record, reader.line_num
            if reader.line_num > _SAMPLE:
                return
    except csv.Error:
        return


def _lines(data: bytes, start: int) -> Iterator[str]:
    for _ in range(4 * _SAMPLE):
        if start >= len(data):
            return
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start:end][:MAX_FIELD].decode(errors="replace") + "\n"
        start = end + 1


def describe_names(names: Sequence[str], limit: int = 12) -> str:
    """Column names for a message, at most `limit` of them."""
    shown = ", ".join(f"`{name[:40]}`" for name in names[:limit])
    return shown + (" …" if len(names) > limit else "")
