"""Figures as they go into a page: small, and exactly as drawn."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from postertui.system.errors import UserError


@dataclass(frozen=True)
class Embedded:
    """An image as a `data:` address, with its size in pixels where that is known."""

    address: str
    width: int | None = None
    height: int | None = None


def embed(path: Path) -> Embedded:
    """The image file at `path`, to be put into a page.

    A PNG becomes lossless WebP, which takes half the bytes for the same pixels. Raises `UserError`
    (exit code 1) where it cannot be read.
    """
    try:
        if path.suffix == ".svg":
            return Embedded(_address("image/svg+xml", path.read_bytes()))
        from PIL import Image

        with Image.open(path) as image:
            opaque = image.convert("RGBA")
        # Figures are drawn on white; a page may be dark.
        paper = Image.new("RGBA", opaque.size, "white")
        paper.alpha_composite(opaque)
        data = io.BytesIO()
        paper.convert("RGB").save(data, "WEBP", lossless=True, method=3)
    except OSError as error:
        raise UserError(f"{path}: {error}", exit_code=1) from None
    return Embedded(_address("image/webp", data.getvalue()), *paper.size)


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
