"""Large text tables in portions of whole lines: only one portion at a time is text in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from postertui.tabular.decoding import MAX_BYTES, TEXT_SUFFIXES
from postertui.tabular.dialect import Dialect, detect_dialect
from postertui.tabular.parsing import count_regular, parse_text
from postertui.tabular.reading import read_tabular
from postertui.tabular.table import Table

#: A portion's bytes; smaller files are one portion.
PORTION_BYTES = 4 << 20

#: What makes one line's meaning depend on others: quotes, other line ends and encodings.
_IRREGULAR = (b'"', b"\r", b"\0", b"\xef\xbb\xbf")


class IrregularTextError(Exception):
    """A later portion's lines depend on others; the table can only be read as a whole."""


def read_portions(path: Path, encoding: str | None = None) -> Iterator[Table]:
    """The table of `read_tabular`, in portions where it is large and each line stands for itself.

    Raises
    ------
    IrregularTextError
        Where a portion after the first shows that the table has to be read as a whole.
    UserError
        As `read_tabular` does.
    """
    if encoding or not _is_large_text(path):
        yield read_tabular(path, encoding)
        return
    dialect: Dialect | None = None
    with path.open("rb") as file:
        for number, block in enumerate(_blocks(file)):
            body = block
            if number == 0 and (dialect := _regular_dialect(path, block)):
                body, line = block[dialect.body :], dialect.line
            if dialect is None or not _is_regular(block, body, dialect):
                if number > 0:
                    raise IrregularTextError
                yield read_tabular(path)
                return
            below_header = replace(dialect, body=0, line=line)
            parsed = parse_text(path, body, below_header, is_regular=True)
            line += body.count(b"\n")
            yield Table(
                path=path,
                columns=parsed.columns,
                separator=dialect.separator,
                encoding="utf-8",
                lines=parsed.lines,
            )


def _is_large_text(path: Path) -> bool:
    if path.suffix.lower() not in TEXT_SUFFIXES or not path.is_file():
        return False
    return 2 * PORTION_BYTES <= path.stat().st_size <= MAX_BYTES


def _regular_dialect(path: Path, start: bytes) -> Dialect | None:
    """The dialect of the text that begins with `start`; None where its header says no names."""
    if start.lstrip()[:1] in (b"{", b"["):
        return None
    dialect = detect_dialect(path, start)
    return None if dialect.row_names or not any(dialect.header) else dialect


def _is_regular(block: bytes, body: bytes, dialect: Dialect) -> bool:
    """Whether a block, whose `body` is below the header, means the same in any other place.

    It is UTF-8 whose lines all have the header's fields, without quotes, a repeated header, and
    commas in numbers, about which the whole table decides.
    """
    first_name = next(name for name in dialect.header if name).encode()
    return (
        not any(mark in block for mark in _IRREGULAR)
        and _is_utf8(block)
        and (dialect.separator == "," or b"," not in body)
        and first_name not in body
        and count_regular(body, dialect) is not None
    )


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The rest of a file in blocks of whole lines."""
    while block := file.read(PORTION_BYTES):
        yield block + file.readline()


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or block.decode() is not None
    except UnicodeDecodeError:
        return False
