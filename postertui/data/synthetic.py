"""Made-up posters for trying the program without any: their look depends on their genres.

Every genre has a palette, a layout and a texture of its own. A poster shows most of what its
genres have, now and then something of a genre that is not its own, and noise, so that a classifier
gets well above always saying yes and never to 1.
"""

from __future__ import annotations

import colorsys
import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GENRES = ("Comedy", "Drama", "Horror")

SIDE = 48

#: How often a poster shows each feature of a genre it has, and of one it has not.
_SHOWN = 0.9
_BORROWED = 0.05

#: The standard deviation of each pixel's noise.
_NOISE = 0.05

_Plane = NDArray[np.float64]


class SyntheticPosters(NamedTuple):
    """What `postertui data build` takes: a folder of posters and a CSV of labels."""

    posters: Path
    labels: Path


class Look(NamedTuple):
    """How posters of a genre look. `colour` and `accent` are RGB in 0..1.

    `shape` is one of `disc`, `bars`, `horizon`, `frame` and `diagonal`, drawn in the accent;
    `angle` (radians) and `period` (pixels) are its texture's stripes; `rate` its base rate.
    """

    rate: float
    colour: tuple[float, float, float]
    accent: tuple[float, float, float]
    shape: str
    angle: float
    period: float


_SHAPES = ("disc", "bars", "horizon", "frame", "diagonal")

_LOOKS = {
    "Comedy": Look(0.35, (0.95, 0.80, 0.30), (0.98, 0.98, 0.92), "disc", 0.0, 9.0),
    "Drama": Look(0.4, (0.25, 0.35, 0.75), (0.12, 0.14, 0.40), "horizon", 1.57, 16.0),
    "Horror": Look(0.20, (0.10, 0.07, 0.10), (0.75, 0.08, 0.08), "bars", 0.5, 4.0),
}


def make_posters(
    folder: Path,
    n_per_cohort: int = 400,
    cohorts: Sequence[int] = (0, 2),
    seed: int = 0,
    genres: Sequence[str] = GENRES,
) -> SyntheticPosters:
    """Write posters of 48 by 48 pixels and their labels below `folder`; where they are.

    The same arguments make the same posters. An id is its number within the cohort followed by
    the cohort's digit.
    """
    posters = folder / "posters"
    posters.mkdir(parents=True, exist_ok=True)
    looks = [look_of(genre) for genre in genres]
    labels = folder / "labels.csv"
    with labels.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "genres"))
        for cohort in cohorts:
            rng = np.random.default_rng([seed, cohort])
            for number in range(n_per_cohort):
                has = rng.random(len(looks)) < [look.rate for look in looks]
                image = paint([k for k, h in zip(looks, has, strict=True) if h], looks, rng)
                poster = 10 * (1000 + number) + cohort
                Image.fromarray(image).save(posters / f"{poster}.png", compress_level=1)
                names = [g for g, h in zip(genres, has, strict=True) if h]
                writer.writerow((poster, "|".join(names)))
    return SyntheticPosters(posters, labels)


def look_of(genre: str) -> Look:
    """The genre's look; one that has none of its own gets one from its name."""
    if genre in _LOOKS:
        return _LOOKS[genre]
    digest = hashlib.sha256(genre.encode()).digest()
    hue, value = digest[0] / 256, 0.3 + 0.6 * digest[1] / 256
    return Look(
        rate=0.2 + 0.2 * digest[2] / 256,
        colour=colorsys.hsv_to_rgb(hue, 0.7, value),
        accent=colorsys.hsv_to_rgb((hue + 0.4) % 1, 0.6, 1.2 - value),
        shape=_SHAPES[digest[3] % len(_SHAPES)],
        angle=np.pi * digest[4] / 256,
        period=4 + 12 * digest[5] / 256,
    )


def paint(
    own: Sequence[Look], everyone: Sequence[Look], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A poster of genres that look like `own`, uint8 (48, 48, 3)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    canvas = np.empty((SIDE, SIDE, 3))
    canvas[:] = rng.uniform(0.4, 0.6, 3)
    shown = [
        look
        for look in everyone
        if rng.random() < (_SHOWN if any(look is o for o in own) else _BORROWED)
    ]
    for look in shown:
        share = rng.uniform(0.5, 0.8)
        canvas += share * (look.colour - canvas)
    for look in rng.permutation(len(everyone)):
        chosen = everyone[look]
        odds = _SHOWN if any(chosen is o for o in own) else _BORROWED
        if rng.random() < odds:
            _draw(canvas, chosen, x, y, rng)
        if rng.random() < odds:
            _texture(canvas, chosen, x, y, rng)
    _title(canvas, rng)
    canvas *= rng.uniform(0.9, 1.1)
    canvas += rng.normal(0, _NOISE, canvas.shape)
    return (canvas.clip(0, 1) * 255).astype(np.uint8)


def _draw(canvas: _Plane, look: Look, x: _Plane, y: _Plane, rng: np.random.Generator) -> None:
    """The genre's shape, somewhere near its usual place."""
    cx, cy = rng.normal(0.5, 0.1, 2)
    size = rng.uniform(0.8, 1.3)
    match look.shape:
        case "disc":
            inside = (x - cx) ** 2 + (y - cy) ** 2 < (0.25 * size) ** 2
        case "bars":
            inside = np.abs((x - cx) % 0.25) < 0.05 * size
        case "horizon":
            inside = y > 0.62 + 0.3 * (cy - 0.5)
        case "frame":
            inside = np.maximum(np.abs(x - cx), np.abs(y - cy)) > 0.45 / size
        case _:
            inside = np.abs(x - y + cx - 0.5) < 0.12 * size
    canvas[inside] += 0.8 * (np.array(look.accent) - canvas[inside])


def _texture(canvas: _Plane, look: Look, x: _Plane, y: _Plane, rng: np.random.Generator) -> None:
    """Stripes of the genre's direction and period."""
    angle = look.angle + rng.normal(0, 0.1)
    along = (x * np.cos(angle) + y * np.sin(angle)) * SIDE
    wave = np.sin(2 * np.pi * along / look.period + rng.uniform(0, 2 * np.pi))
    canvas += 0.12 * rng.uniform(0.5, 1) * wave[:, :, np.newaxis]


def _title(canvas: _Plane, rng: np.random.Generator) -> None:
    """A line of lettering, which says nothing of the genre."""
    top = int(rng.integers(2, SIDE - 8))
    letters = rng.random(SIDE // 3) < 0.7
    row = np.repeat(letters, 3)[:SIDE]
    canvas[top : top + 4, row] = rng.uniform(0, 1, 3)
