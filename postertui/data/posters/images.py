"""One poster file to one small square image."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")

#: Lanczos with its support widened to the shrinking factor, so that it averages and does not
#: alias. The poster is squeezed to a square, as the 2017 study did.
RESAMPLING = "lanczos"

#: More pixels than this, after a JPEG's cheap halving, would take hundreds of megabytes.
MAX_PIXELS = 40_000_000


class UnreadableImageError(Exception):
    """The file is no image that can be used; the message says why."""


def read_image(path: Path, side: int) -> NDArray[np.uint8]:
    """The poster in `path` as uint8 (side, side, 3), RGB.

    A JPEG is decoded at the smallest of its cheap scales (halves, quarters, eighths) that is at
    least twice the wanted side, which costs no visible detail. What is transparent becomes white.
    Raises `UnreadableImageError` for a file that is damaged, too large, or no JPEG, PNG or WebP.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.draft("RGB", (2 * side, 2 * side))
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableImageError(f"too large: {image.width} by {image.height} pixels")
            if "exif" in image.info:
                ImageOps.exif_transpose(image, in_place=True)
            small = _to_rgb(image).resize((side, side), Image.Resampling.LANCZOS)
            return np.asarray(small)
    except UnreadableImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise UnreadableImageError("too large") from None
    except UnidentifiedImageError:
        raise UnreadableImageError("not a JPEG, PNG or WebP image") from None
    except OSError as error:
        raise UnreadableImageError(error.strerror or _describe(error)) from None
    except Exception as error:
        # Pillow's decoders raise whatever a damaged file leads them to; one bad poster must not
        # end the build of thousands.
        raise UnreadableImageError(_describe(error)) from None


@contextmanager
def refuse_decompression_bombs() -> Iterator[None]:
    """Within this, an image that Pillow would only warn of as too large is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _describe(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:100] or type(error).__name__
