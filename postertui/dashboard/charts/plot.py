"""The plot of a cell: its curves, references and marks as characters, each with its style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from postertui.dashboard.charts.axes import Floats, Range
from postertui.dashboard.charts.highlights import LETTERS, OTHER, Highlights
from postertui.dashboard.charts.panels import Curve, Panel
from postertui.dashboard.charts.raster import (
    DASHED,
    DOTTED,
    PATTERNS,
    SOLID,
    SPARSE,
    Ints,
    Pattern,
    Raster,
)


@dataclass(frozen=True)
class PlotSettings:
    """How a cell is drawn, whatever it shows. `cursor` is an epoch, or None.

    `overlaid` curves are distinguished by their compared value rather than by cohort: by colour,
    pattern, and with `letters` by a letter at their end. Without `highlights` all are in colour.
    """

    epochs: tuple[int, int]
    scale: Range
    overlaid: bool = False
    letters: bool = False
    ascii_only: bool = False
    cursor: int | None = None
    lowest_is_best: bool = False
    highlights: Highlights | None = None

    def place(self, group: int) -> int | None:
        """The place of a compared value among those in full colour; None for a grey one."""
        return group if self.highlights is None else self.highlights.place(group)

    def x(self, epochs: Floats) -> Floats:
        """Where `epochs` lie: 0 at the first, 1 at the last one of the axis."""
        first, last = self.epochs
        return (epochs - first) / max(1, last - first)


@lru_cache(maxsize=256)
def plotted(
    panel: Panel, width: int, height: int, settings: PlotSettings
) -> tuple[Ints, Ints, list[str]]:
    """Characters and owners of the plot, each (height, width), and the style of each owner.

    Remembered, so that moving the cursor along the epochs draws no curve again: do not change it.
    """
    raster, styles = plot(panel, width, height, settings)
    codes, owners = raster.render()
    if settings.ascii_only:
        marks = np.array([ord(ascii_mark(s)) for s in styles] + [32], dtype=np.int64)
        codes = marks[owners]
    _mark_peak(codes, owners, panel, settings)
    _mark_cut_points(codes, owners, panel, settings)
    if settings.letters:
        _put_letters(codes, owners, panel, settings)
    return codes, owners, styles


def plot(panel: Panel, width: int, height: int, settings: PlotSettings) -> tuple[Raster, list[str]]:
    """The raster of `panel`, and the style of each owner in it."""
    raster = Raster(width, height, ascii_only=settings.ascii_only)
    styles: list[str] = []
    place_y = settings.scale.fractions
    if panel.noise is not None:
        ends = np.array([0.0, 1.0])
        low, high = place_y(np.full(2, -panel.noise)), place_y(np.full(2, panel.noise))
        raster.band(ends, np.maximum(low, 0.0), np.minimum(high, 1.0), len(styles))
        styles.append("noise")
    for curve in panel.curves:
        if curve.low is not None and curve.high is not None:
            low, high = place_y(curve.low), place_y(curve.high)
            raster.band(settings.x(curve.x), low, high, len(styles))
            styles.append(_style(curve, settings) + "-band")
    for level in panel.references:
        pattern = SPARSE if level.kind == "always-yes" else DASHED
        raster.level(settings.scale.fraction(level.y), len(styles), pattern)
        styles.append(level.kind)
    assert len(styles) == _first_curve(panel)
    # Later ones are over earlier ones: what is in full colour is over what is grey.
    drawn = [i for i, curve in enumerate(panel.curves) if not _is_left_out(curve, settings)]
    order = sorted(drawn, key=lambda i: _depth(panel.curves[i], settings))
    curves = [panel.curves[i] for i in order]
    if curves:
        raster.curves(
            settings.x(np.concatenate([curve.x for curve in curves])),
            place_y(np.concatenate([curve.y for curve in curves])),
            [len(curve.x) for curve in curves],
            [len(styles) + i for i in order],
            [_pattern(curve, settings) for curve in curves],
        )
    styles.extend(_style(curve, settings) for curve in panel.curves)
    return raster, styles


def _first_curve(panel: Panel) -> int:
    """The owner of the first curve; before it come noise, bands and references."""
    bands = sum(curve.low is not None for curve in panel.curves)
    return (panel.noise is not None) + bands + len(panel.references)


def _is_left_out(curve: Curve, settings: PlotSettings) -> bool:
    """Whether it is a grey curve of training: of those, what was tested says enough."""
    return settings.overlaid and curve.side == "train" and settings.place(curve.group) is None


def _depth(curve: Curve, settings: PlotSettings) -> int:
    place = settings.place(curve.group) if settings.overlaid else 0
    return 0 if place is None else len(LETTERS) - place


def _style(curve: Curve, settings: PlotSettings) -> str:
    if not settings.overlaid:
        return curve.side
    place = settings.place(curve.group)
    name = OTHER if place is None else f"group-{place}"
    return name + ("-train" if curve.side == "train" else "")


def _pattern(curve: Curve, settings: PlotSettings) -> Pattern:
    if curve.side == "train":
        return DOTTED
    place = settings.place(curve.group) if settings.overlaid else 0
    return SOLID if place is None else PATTERNS[place % len(PATTERNS)]


def ascii_mark(style: str) -> str:
    """The character that stands for a curve where there is no braille."""
    if style.startswith("group-"):
        letter = LETTERS[int(style.split("-")[1]) % len(LETTERS)]
        return "." if style.endswith("-band") else letter if "train" in style else letter.upper()
    fixed = {"train": "o", "test": "*", "base-train": "-", "base-test": "=", "always-yes": ".",
             "zero": "-", OTHER: "'"}  # fmt: skip
    return fixed.get(style, " ")


def curve_ends(
    panel: Panel, height: int, settings: PlotSettings
) -> Iterator[tuple[int, int, float, int]]:
    """Of each test curve in full colour its owner, place, x in 0..1 and row of its last value.

    Only of those that end within the plot.
    """
    for owner, curve in enumerate(panel.curves, _first_curve(panel)):
        finite = np.flatnonzero(np.isfinite(curve.y))
        place = settings.place(curve.group)
        if curve.side != "test" or not len(finite) or place is None:
            continue
        y = settings.scale.fraction(float(curve.y[finite[-1]]))
        x = float(settings.x(curve.x[finite[-1]]))
        if np.isfinite(y) and 0 <= y <= 1 and 0 <= x <= 1:
            yield owner, place, x, round((1 - y) * (height - 1))


def _put_letters(codes: Ints, owners: Ints, panel: Panel, settings: PlotSettings) -> None:
    """The letter at the end of each test curve, for eyes and terminals without colour."""
    height, width = codes.shape
    for owner, place, x, row in curve_ends(panel, height, settings):
        column = round(x * (width - 1))
        letter = LETTERS[place % len(LETTERS)]
        codes[row, column] = ord(letter.upper() if settings.ascii_only else letter)
        owners[row, column] = owner


def _mark_peak(codes: Ints, owners: Ints, panel: Panel, settings: PlotSettings) -> None:
    """A dot on the best value of a test curve that is alone in its cell."""
    test = [(i, c) for i, c in enumerate(panel.curves) if c.side == "test"]
    if len(test) != 1 or not np.isfinite(test[0][1].y).any():
        return
    index, curve = test[0]
    # As `nanargmin` and `nanargmax`, which take several times as long at every tick.
    if settings.lowest_is_best:
        best = int(np.argmin(np.where(np.isnan(curve.y), np.inf, curve.y)))
    else:
        best = int(np.argmax(np.where(np.isnan(curve.y), -np.inf, curve.y)))
    height, width = codes.shape
    place = settings.scale.fraction(float(curve.y[best]))
    x = float(settings.x(curve.x[best]))
    if not (np.isfinite(place) and 0 <= place <= 1 and 0 <= x <= 1):
        return
    row, column = round((1 - place) * (height - 1)), round(x * (width - 1))
    codes[row, column] = ord("X" if settings.ascii_only else "●")
    owners[row, column] = _first_curve(panel) + index


def _mark_cut_points(codes: Ints, owners: Ints, panel: Panel, settings: PlotSettings) -> None:
    """An arrow at the edge of the plot for each test value beyond it."""
    height, width = codes.shape
    up, down = (ord(c) for c in ("^v" if settings.ascii_only else "↑↓"))
    for owner, curve in enumerate(panel.curves, _first_curve(panel)):
        if curve.side != "test":
            continue
        places = settings.scale.fractions(curve.y)
        if not ((places > 1) | (places < 0)).any():
            continue
        columns = np.rint(settings.x(curve.x) * (width - 1))
        inside = (columns >= 0) & (columns < width)
        for row, arrow, beyond in ((0, up, places > 1), (height - 1, down, places < 0)):
            at = columns[beyond & inside].astype(np.int64)
            codes[row, at], owners[row, at] = arrow, owner


def spread_rows(rows: Sequence[int], height: int) -> list[int]:
    """A row of its own for each of ascending `rows` below `height`, as near to it as there is room.

    At most `height` of them; the others are left out.
    """
    free = list(rows[:height])
    for i, row in enumerate(free):
        free[i] = max(row, free[i - 1] + 1 if i else 0)
    last = height
    for i in range(len(free) - 1, -1, -1):
        free[i] = last = min(free[i], last - 1)
    return free
