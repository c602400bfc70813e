"""Figures as they go into a page: small, and exactly as drawn."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.regular_files import MAX_RESULT_BYTES, read_regular


class _WebP(msgspec.Struct):
    """A figure's WebP as it is kept beside the figure; `source` is the SHA-256 of the PNG."""

    source: bytes
    checksum: int
    width: int
    height: int
    data: bytes


@dataclass(frozen=True)
class Embedded:
    """An image as a `data:` address, with its size in pixels where that is known."""

    address: str
    width: int | None = None
    height: int | None = None


def embed(path: Path) -> Embedded:
    """The image file at `path`, to be put into a page.

    A PNG becomes lossless WebP, which takes half the bytes for the same pixels; it is kept beside
    the PNG. Raises `UserError` (exit code 1) where `path` cannot be read.
    """
    try:
        if path.suffix == ".svg":
            return Embedded(_address("image/svg+xml", path.read_bytes()))
        png = path.read_bytes()
        webp = _read_kept(path, png)
        if webp is None:
            webp = _encode(png)
            # Encoding takes a quarter of a second, and most pages are made again unchanged.
            with contextlib.suppress(OSError):
                write_atomic(_kept_path(path), msgspec.msgpack.encode(webp))
    except OSError as error:
        raise UserError(f"{path}: {error}", exit_code=1) from None
    return Embedded(_address("image/webp", webp.data), webp.width, webp.height)


def _kept_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.webp")


def _read_kept(path: Path, png: bytes) -> _WebP | None:
    """What was encoded of these very bytes before; None where there is none, or it is damaged."""
    try:
        content = read_regular(_kept_path(path), MAX_RESULT_BYTES)
        webp = msgspec.msgpack.decode(content, type=_WebP)
    except (OSError, msgspec.MsgspecError):
        return None
    is_sound = zlib.crc32(webp.data) == webp.checksum
    return webp if is_sound and webp.source == hashlib.sha256(png).digest() else None


def _encode(png: bytes) -> _WebP:
    """The figure on white, as lossless WebP. Raises `OSError` where `png` is no image."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(png)) as image:
            opaque = image.convert("RGBA")
    except UnidentifiedImageError:
        raise OSError("not an image") from None
    # Figures are drawn on white; a page may be dark.
    paper = Image.new("RGBA", opaque.size, "white")
    paper.alpha_composite(opaque)
    buffer = io.BytesIO()
    paper.convert("RGB").save(buffer, "WEBP", lossless=True, method=3)
    data = buffer.getvalue()
    return _WebP(hashlib.sha256(png).digest(), zlib.crc32(data), *paper.size, data)


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
