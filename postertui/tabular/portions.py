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


def read_portions(path: Path, encoding: str | None = None) -> Iterator[Table]:
    """The table of `read_tabular`, in portions where it is large and each line stands for itself.

    Raises `UserError` as `read_tabular` does.
    """
    dialect = None if encoding else _regular_dialect(path)
    if dialect is None:
        yield read_tabular(path, encoding)
        return
    with path.open("rb") as file:
        file.seek(dialect.body)
        line = dialect.line
        for block in _blocks(file):
            below_header = replace(dialect, body=0, line=line)
            parsed = parse_text(path, block, below_header, is_regular=True)
            line += block.count(b"\n")
            yield Table(
                path=path,
                columns=parsed.columns,
                separator=dialect.separator,
                encoding="utf-8",
                lines=parsed.lines,
            )


def _regular_dialect(path: Path) -> Dialect | None:
    """The dialect of a text table that can be read in portions; None for any other file.

    It is UTF-8 whose lines all have the header's fields, without quotes, a repeated header, and
    commas in numbers, about which the whole table decides.
    """
    if path.suffix.lower() not in TEXT_SUFFIXES or not path.is_file():
        return None
    if not 2 * PORTION_BYTES <= path.stat().st_size <= MAX_BYTES:
        return None
    dialect = None
    with path.open("rb") as file:
        for block in _blocks(file):
            body = block
            if dialect is None:
                if block.lstrip()[:1] in (b"{", b"["):
                    return None
                dialect = detect_dialect(path, block)
                first_name = next((name for name in dialect.header if name), "").encode()
                if dialect.row_names or not first_name:
                    return None
                body = block[dialect.body :]
            if (
                any(mark in block for mark in _IRREGULAR)
                or not _is_utf8(block)
                or (dialect.separator != "," and b"," in body)
                or first_name in body
                or count_regular(body, dialect) is None
            ):
                return None
    return dialect


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The rest of a file in blocks of whole lines."""
    while block := file.read(PORTION_BYTES):
        yield block + file.readline()


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or block.decode() is not None
    except UnicodeDecodeError:
        return False
