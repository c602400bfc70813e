"""Synthetic posters for trying the program without data.

Every genre has its own palette, shape and texture. A poster has most features of its genres, now
and then one of another genre, and noise, so that a classifier gets well above the all-positive
baseline and never to 1.
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

#: Probability of each feature of a genre that the poster has, and of one that it lacks.
_OWN_FEATURE_RATE = 0.9
_FOREIGN_FEATURE_RATE = 0.05

#: The standard deviation of each pixel's noise.
_NOISE = 0.05

_Plane = NDArray[np.float64]


class SyntheticPosters(NamedTuple):
    """The inputs of `postertui data build`: a folder of posters and a CSV of labels."""

    posters: Path
    labels: Path


class GenreStyle(NamedTuple):
    """Visual features of a genre. `colour` and `accent` are RGB in 0..1.

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

_STYLES = {
    "Comedy": GenreStyle(0.35, (0.95, 0.80, 0.30), (0.98, 0.98, 0.92), "disc", 0.0, 9.0),
    "Drama": GenreStyle(0.4, (0.25, 0.35, 0.75), (0.12, 0.14, 0.40), "horizon", 1.57, 16.0),
    "Horror": GenreStyle(0.20, (0.10, 0.07, 0.10), (0.75, 0.08, 0.08), "bars", 0.5, 4.0),
}


def make_posters(
    folder: Path,
    n_per_cohort: int = 400,
    cohorts: Sequence[int] = (0, 2),
) -> SyntheticPosters:
    """Write made-up posters of `GENRES` and their labels below `folder`, always the same ones.

    Each genre decides about a poster's look, at a rate of its own. An id is the poster's number
    within the cohort followed by the cohort's digit.

    Parameters
    ----------
    n_per_cohort
        Posters of 48x48 pixels in each cohort.
    cohorts
        Digits from 0 to 9.
    """
    posters = folder / "posters"
    posters.mkdir(parents=True, exist_ok=True)
    styles = [style_of(genre) for genre in GENRES]
    labels = folder / "labels.csv"
    with labels.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "genres"))
        for cohort in cohorts:
            rng = np.random.default_rng([0, cohort])
            for number in range(n_per_cohort):
                is_positive = rng.random(len(styles)) < [style.rate for style in styles]
                image = render_poster(
                    [k for k, h in zip(styles, is_positive, strict=True) if h], styles, rng
                )
                poster = 10 * (1000 + number) + cohort
                Image.fromarray(image).save(posters / f"{poster}.png", compress_level=1)
                names = [g for g, h in zip(GENRES, is_positive, strict=True) if h]
                writer.writerow((poster, "|".join(names)))
    return SyntheticPosters(posters, labels)


def style_of(genre: str) -> GenreStyle:
    """The genre's style; an unknown genre gets one derived from its name."""
    if genre in _STYLES:
        return _STYLES[genre]
    digest = hashlib.sha256(genre.encode()).digest()
    hue, value = digest[0] / 256, 0.3 + 0.6 * digest[1] / 256
    return GenreStyle(
        rate=0.2 + 0.2 * digest[2] / 256,
        colour=colorsys.hsv_to_rgb(hue, 0.7, value),
        accent=colorsys.hsv_to_rgb((hue + 0.4) % 1, 0.6, 1.2 - value),
        shape=_SHAPES[digest[3] % len(_SHAPES)],
        angle=np.pi * digest[4] / 256,
        period=4 + 12 * digest[5] / 256,
    )


def render_poster(
    own: Sequence[GenreStyle], styles: Sequence[GenreStyle], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A poster of genres with the styles `own`, uint8 (48, 48, 3)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    canvas = np.empty((SIDE, SIDE, 3))
    canvas[:] = rng.uniform(0.4, 0.6, 3)
    dominant = [style for style in styles if rng.random() < feature_rate(style, own)]
    for style in dominant:
        share = rng.uniform(0.5, 0.8)
        canvas += share * (style.colour - canvas)
    for index in rng.permutation(len(styles)):
        style = styles[index]
        rate = feature_rate(style, own)
        if rng.random() < rate:
            _draw(canvas, style, x, y, rng)
        if rng.random() < rate:
            _texture(canvas, style, x, y, rng)
    _title(canvas, rng)
    canvas *= rng.uniform(0.9, 1.1)
    canvas += rng.normal(0, _NOISE, canvas.shape)
    return (canvas.clip(0, 1) * 255).astype(np.uint8)


def feature_rate(style: GenreStyle, own: Sequence[GenreStyle]) -> float:
    """The probability that a poster with the styles `own` has a feature of `style`."""
    return _OWN_FEATURE_RATE if any(style is o for o in own) else _FOREIGN_FEATURE_RATE


def _draw(
    canvas: _Plane, style: GenreStyle, x: _Plane, y: _Plane, rng: np.random.Generator
) -> None:
    """The genre's shape, somewhere near its usual place."""
    cx, cy = rng.normal(0.5, 0.1, 2)
    size = rng.uniform(0.8, 1.3)
    match style.shape:
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
    canvas[inside] += 0.8 * (np.array(style.accent) - canvas[inside])


def _texture(
    canvas: _Plane, style: GenreStyle, x: _Plane, y: _Plane, rng: np.random.Generator
) -> None:
    """Stripes of the genre's direction and period."""
    angle = style.angle + rng.normal(0, 0.1)
    along = (x * np.cos(angle) + y * np.sin(angle)) * SIDE
    wave = np.sin(2 * np.pi * along / style.period + rng.uniform(0, 2 * np.pi))
    canvas += 0.12 * rng.uniform(0.5, 1) * wave[:, :, np.newaxis]


def _title(canvas: _Plane, rng: np.random.Generator) -> None:
    """A line of lettering, independent of the genre."""
    top = int(rng.integers(2, SIDE - 8))
    letters = rng.random(SIDE // 3) < 0.7
    row = np.repeat(letters, 3)[:SIDE]
    canvas[top : top + 4, row] = rng.uniform(0, 1, 3)
