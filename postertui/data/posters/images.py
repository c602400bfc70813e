"""One poster file to one small square image."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from postertui.system.native_output import discard_native_stderr
from postertui.system.text import describe_error

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

#: Lanczos with its support widened to the shrinking factor, so that it averages and does not
#: alias. The poster is resized to a square, as the 2017 study did.
RESAMPLING = "lanczos"

#: More pixels than this, after a JPEG's cheap halving, would take hundreds of megabytes.
MAX_PIXELS = 40_000_000


class UnreadableImageError(Exception):
    """The file is no image that can be used; the message says why."""


def read_image(path: Path, side: int) -> NDArray[np.uint8]:
    """The poster in a file, of whatever size, as a square.

    A JPEG is decoded at the smallest of its cheap scales (halves, quarters, eighths) that is at
    least twice the wanted side, which costs no visible detail. What is transparent becomes white.
    Of an animation it is the first frame.

    Parameters
    ----------
    side
        In pixels.

    Returns
    -------
    Image
        uint8 (side, side, 3), RGB.

    Raises
    ------
    UnreadableImageError
        For a file that is damaged, too large, or of none of `FORMATS`.
    """
    with (
        _explain_decoder_errors(),
        Image.open(path, formats=_installed_formats()) as image,
    ):
        image.draft("RGB", (2 * side, 2 * side))
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableImageError(f"too large: {image.width} by {image.height} pixels")
        if "exif" in image.info:
            ImageOps.exif_transpose(image, in_place=True)
        small = _to_rgb(image).resize((side, side), Image.Resampling.LANCZOS)
        return np.asarray(small)


@cache
def _installed_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow can read."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def check_header(path: Path) -> None:
    """Raise `UnreadableImageError` where the file does not begin as an image of `FORMATS` does."""
    with _explain_decoder_errors(), Image.open(path, formats=_installed_formats()):
        pass


@contextmanager
def _explain_decoder_errors() -> Iterator[None]:
    """Whatever opening or decoding a file raises, as `UnreadableImageError`."""
    try:
        yield
    except UnreadableImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise UnreadableImageError("too large") from None
    except UnidentifiedImageError:
        raise UnreadableImageError("not an image, or of a format that cannot be read") from None
    except OSError as error:
        raise UnreadableImageError(error.strerror or describe_error(error, 100)) from None
    except Exception as error:
        # Pillow's decoders raise whatever a damaged file leads them to; one bad poster must not
        # end the build of thousands.
        raise UnreadableImageError(describe_error(error, 100)) from None


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Within this, decoders write nothing of their own, and too large an image is refused.

    Pillow warns and logs about a damaged file, and libtiff writes to standard error; what is wrong
    comes as `UnreadableImageError`.
    """
    logger = logging.getLogger("PIL")
    level = logger.level
    with warnings.catch_warnings(), discard_native_stderr():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


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
