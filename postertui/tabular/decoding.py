"""From a file, packed or not, in any encoding, to UTF-8 text with newlines."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from postertui.system.errors import UserError
from postertui.system.text import describe_error

#: More than this, unpacked, is no table that fits into memory.
MAX_BYTES = 2 << 30

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".tab", ".data", ".jsonl", ".ndjson")
PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zip")

_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_ZIP = b"PK\x03\x04"
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)


def read_bytes(path: Path) -> bytes:
    """The content of a regular file, unpacked where it is gz, bz2, xz, or a zip with one table.

    Raises
    ------
    UserError
        Where it cannot be read or unpacked.
    """
    try:
        if path.is_dir():
            raise UserError(f"{path}: is a folder, not a table; name the file")
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: not a regular file; save the table in one")
        with path.open("rb") as file:
            start = file.read(6)
            file.seek(0)
            if start.startswith(_ZIP):
                return _unzip(path, file)
            for magic, opener in _OPENERS.items():
                if start.startswith(magic):
                    return _unpack(path, file, opener)
            return _limited(path, file)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def _unpack(path: Path, file: IO[bytes], opener: Callable[[IO[bytes]], Any]) -> bytes:
    try:
        with opener(file) as unpacked:
            return _limited(path, unpacked)
    except _BROKEN as error:
        raise UserError(
            f"{path}: a damaged compressed file ({describe_error(error, 100)})"
        ) from None


def _unzip(path: Path, file: IO[bytes]) -> bytes:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [n for n in archive.namelist() if not _is_clutter(n)]
            if "[Content_Types].xml" in names or "content.xml" in names:
                raise UserError(f"{path}: a spreadsheet's own format; save the sheet as CSV")
            tables = [n for n in names if n.lower().endswith(TEXT_SUFFIXES)]
            if len(tables) != 1:
                shown = ", ".join(n[:60] for n in tables[:5]) or "none"
                raise UserError(
                    f"{path}: holds {len(tables)} tables ({shown}); unpack it and name one"
                )
            with archive.open(tables[0]) as member:
                return _limited(path, member)
    except (
        *_BROKEN, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, KeyError
    ) as error:  # fmt: skip
        raise UserError(f"{path}: cannot be unpacked ({describe_error(error, 100)})") from None


def _is_clutter(name: str) -> bool:
    """Whether a zip's member is a folder, hidden, or what macOS adds."""
    parts = PurePosixPath(name).parts
    return name.endswith("/") or any(p.startswith(".") or p == "__MACOSX" for p in parts)


def _limited(path: Path, file: IO[bytes]) -> bytes:
    buffer = io.BytesIO()
    while block := file.read(1 << 22):
        buffer.write(block)
        if buffer.tell() > MAX_BYTES:
            raise UserError(f"{path}: larger than {MAX_BYTES >> 30} GiB unpacked; split the table")
    return buffer.getvalue()


def decode(path: Path, data: bytes, encoding: str | None = None) -> tuple[bytes, str]:
    """Text as UTF-8 without byte order mark and with `\\n` line ends, and its encoding.

    Parameters
    ----------
    path
        For messages.
    data
        The file's bytes.
    encoding
        Without it: UTF-8, or UTF-16 or UTF-32 where the first bytes say so.

    Raises
    ------
    UserError
        With the line of what is not in that encoding.
    """
    name = encoding or _detect(data)
    try:
        codec = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError):
        raise UserError(
            f"--encoding {name}: no such encoding; cp1252 and latin-1 are some"
        ) from None
    try:
        if codec.name in ("utf-8", "utf-8-sig"):
            data = data.removeprefix(codecs.BOM_UTF8)
            if not data.isascii():
                data.decode()
        else:
            data = codec.decode(data)[0].removeprefix("\ufeff").encode()
    except UnicodeDecodeError as error:
        line = codec.decode(data[: error.start], "replace")[0].count("\n") + 1
        byte = data[error.start : error.start + 1].hex()
        hint = (
            "name the right one"
            if encoding
            else "save it as UTF-8, or name its encoding with --encoding, such as cp1252"
        )
        raise UserError(
            f"{path}, line {line}: not {name.upper()} text (byte 0x{byte}); {hint}"
        ) from None
    except UnicodeError as error:
        raise UserError(f"{path}: not {name.upper()} text ({describe_error(error, 100)})") from None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # Files put together each bring their mark along.
    data = data.replace(b"\n" + codecs.BOM_UTF8, b"\n")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise UserError(f"{path}, line {line}: not a text file: it contains a NUL byte")
    return data, name


def _detect(data: bytes) -> str:
    """`utf-8`, or the UTF-16 or UTF-32 that the first bytes show, with or without a mark."""
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return name
    start = data[:256]
    even, odd = start[::2], start[1::2]
    if len(start) >= 8 and len(data) % 2 == 0:
        if odd.count(0) > 0.8 * len(odd) and not even.count(0):
            return "utf-16-le"
        if even.count(0) > 0.8 * len(even) and not odd.count(0):
            return "utf-16-be"
    return "utf-8"
