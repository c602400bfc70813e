"""Notable posters as pictures, out of the data folder that their run was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postertui.predictions.loading import RunPredictions
from postertui.predictions.notable import COUNT, TITLES, NotablePoster, notable_posters
from postertui.runs.run_data import open_run_data
from postertui.runs.run_names import run_folder
from postertui.runs.spec import read_spec
from postertui.system.errors import UserError

Pixels = NDArray[np.uint8]

#: The side of a picture on the contact sheet, and the height of the line under it.
_SIDE, _LINE = 96, 14


def poster_pixels(runs_folder: Path, run: RunPredictions) -> list[tuple[NotablePoster, Pixels]]:
    """A run's notable posters with their pixels, uint8 (side, side, 3).

    Raises
    ------
    UserError
        Where the data folder is gone, or has changed since the run was trained.
    """
    spec = read_spec(run_folder(runs_folder, run.run))
    dataset = open_run_data(spec)
    rows: dict[int, dict[int, int]] = {}
    pictures = []
    for poster in notable_posters(run):
        if poster.cohort not in rows:
            ids = dataset.ids(poster.cohort).tolist()
            rows[poster.cohort] = {i: row for row, i in enumerate(ids)}
        row = rows[poster.cohort].get(poster.poster)
        if row is None:
            raise UserError(f"{spec.data}: has no poster {poster.poster}")
        pictures.append((poster, _as_bytes(np.asarray(dataset.images(poster.cohort)[row]))))
    return pictures


def write_contact_sheet(runs_folder: Path, run: RunPredictions, target: Path) -> None:
    """A PNG of the run's notable posters: a row for each kind, ids and probabilities below.

    Raises
    ------
    UserError
        As `poster_pixels` does.
    OSError
        Where `target` cannot be written.
    """
    from PIL import Image, ImageDraw

    pictures = poster_pixels(runs_folder, run)
    height = _SIDE + _LINE
    sheet = Image.new("RGB", (COUNT * _SIDE, len(TITLES) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for line, kind in enumerate(TITLES):
        row = [picture for picture in pictures if picture[0].kind == kind]
        for column, (poster, pixels) in enumerate(row):
            place = column * _SIDE, line * height
            sheet.paste(Image.fromarray(pixels).resize((_SIDE, _SIDE)), place)
            text = f"{poster.poster} {poster.probability:.2f}"
            draw.text((place[0] + 2, place[1] + _SIDE + 1), text, fill="black")
    sheet.save(target)


def _as_bytes(pixels: NDArray[np.generic]) -> Pixels:
    """Pixels as uint8; the pair of 2017 has 0..1."""
    if pixels.dtype == np.uint8:
        return pixels  # type: ignore[return-value]
    return (pixels.astype(np.float64) * 255).round().clip(0, 255).astype(np.uint8)
