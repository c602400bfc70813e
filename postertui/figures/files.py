"""A figure's files, CSV and images: whole or not at all, and whether they are up to date."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, get_args

from postertui.figures.picture import Picture
from postertui.history.spreadsheets import spreadsheet_safe
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError

Format = Literal["png", "svg", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)
DPI = 150

_LIBRARIES = ("plotnine", "matplotlib", "mizani", "pandas")
_DIGEST = re.compile(rb"Digest: ([0-9a-f]{64})")


def image_path(out: Path, picture: Picture, kind: Format) -> Path:
    """The file of a figure's picture."""
    return out / f"{picture.name}.{kind}"


def csv_path(out: Path, picture: Picture) -> Path:
    """The file of a figure's data."""
    return out / f"{picture.name}.csv"


def csv_bytes(picture: Picture) -> bytes:
    """The marks as CSV, and behind them what is not drawn, one row per split and cause.

    Such a row has `not drawn` as its mark, the split as series, cause and count as label and value.
    """
    import polars as pl

    marks = picture.marks()
    if picture.hidden:
        hidden = pl.DataFrame(
            {
                "mark": ["not drawn"] * len(picture.hidden),
                "series": [h.split for h in picture.hidden],
                "label": [h.cause for h in picture.hidden],
                "value": [float(h.count) for h in picture.hidden],
            }
        )
        marks = pl.concat([marks, hidden], how="diagonal_relaxed")
    return spreadsheet_safe(marks).write_csv().encode()


def picture_digest(picture: Picture, csv: bytes, dpi: int) -> str:
    """A digest of all that an image depends on: data, appearance, resolution, code, versions."""
    appearance = (
        picture.title,
        picture.facets,
        [(x.geom, x.colour, x.dash, x.weight, x.opacity) for x in picture.layers],
        (picture.x, picture.y, dict(picture.colours), picture.legend, dict(picture.letters)),
        (picture.size, picture.caption, picture.strict, dpi),
    )
    state = hashlib.sha256(csv)
    state.update(repr((appearance, versions())).encode())
    state.update(code_digest())
    return state.hexdigest()


def picture_facts(picture: Picture, csv: bytes, digest: str, command: str) -> dict[str, str]:
    """The metadata of an image file."""
    return {
        "Title": picture.title,
        "Command": command,
        "Versions": ", ".join(f"{k} {v}" for k, v in versions().items()),
        "Data": f"sha256 {hashlib.sha256(csv).hexdigest()}",
        "Digest": digest,
    }


@cache
def versions() -> Mapping[str, str]:
    """The versions that a figure's appearance depends on."""
    from postertui.system.version import __version__

    recorded = {"postertui": __version__}
    for name in _LIBRARIES:
        try:
            recorded[name] = version(name)
        except PackageNotFoundError:
            recorded[name] = "?"
    return recorded


@cache
def code_digest() -> bytes:
    """A digest of the code that draws figures."""
    state = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        state.update(path.read_bytes())
    return state.digest()


def is_current(path: Path, digest: str) -> bool:
    """Whether `path` is a whole image that was drawn for `digest`."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return read_digest(data) == digest


def read_digest(data: bytes) -> str | None:
    """The digest that an image carries; None without one, or where the image is cut short."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png_text(data).get("Digest")
    is_whole = data.rstrip().endswith((b"</svg>", b"%%EOF"))
    digest = _DIGEST.search(data)
    return digest[1].decode() if digest and is_whole else None


def _png_text(data: bytes) -> dict[str, str]:
    """The text chunks of a PNG whose every chunk is intact; empty otherwise."""
    text: dict[str, str] = {}
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        body = data[position + 4 : end - 4]
        if end > len(data) or zlib.crc32(body).to_bytes(4, "big") != data[end - 4 : end]:
            return {}
        if body[:4] == b"tEXt":
            key, _, value = body[4:].partition(b"\0")
            text[key.decode("latin-1")] = value.decode("latin-1")
        if body[:4] == b"IEND":
            return text
        position = end
    return {}


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all. Raises `UserError` where it cannot be."""
    try:
        write_atomic(path, data, private=False)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}", exit_code=1) from None


def create_folder(out: Path) -> None:
    """Make a folder for figures, with its parents, where it is missing.

    Raises
    ------
    UserError
        Where it is a file, or cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"--out {out}: is a file, not a folder") from None
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}") from None


def check_formats(formats: Sequence[str]) -> None:
    """Raises `UserError` for a format there is none of."""
    for kind in formats:
        if kind not in FORMATS:
            raise UserError(f"format `{kind}`: there are {', '.join(FORMATS)}")
