"""One cell of the grid as rows of styled text: a title, the plot with its y labels, the x axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from postertui.dashboard.charts.axes import Range, x_ticks, y_ticks
from postertui.dashboard.charts.panels import Curve, Panel
from postertui.dashboard.charts.raster import (
    DASHED,
    DOTTED,
    EMPTY,
    PATTERNS,
    SOLID,
    SPARSE,
    Floats,
    Ints,
    Raster,
)
from postertui.dashboard.terminal.theme import CURSOR
from postertui.dashboard.text_width import cells, fit

Text = tuple[str, str]  # text, name of its style
Row = tuple[Text, ...]

LABEL_WIDTH = 5
MIN_WIDTH, MIN_HEIGHT = 20, 6
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class PlotSettings:
    """How a cell is drawn, whatever it shows. `cursor` is an epoch, or None."""

    epochs: tuple[int, int]
    scale: Range
    overlaid: bool = False
    letters: bool = False
    ascii_only: bool = False
    cursor: int | None = None
    lowest_is_best: bool = False

    @property
    def many(self) -> bool:
        """Whether curves are told apart by group rather than by cohort."""
        return self.overlaid


def draw_cell(
    panel: Panel,
    title: Row,
    width: int,
    height: int,
    settings: PlotSettings,
    *,
    x_labels: bool = True,
    y_labels: bool = True,
) -> list[Row]:
    """`height` rows of `width` characters: `title`, then plot rows, then the epochs."""
    label_width = LABEL_WIDTH if y_labels else 1
    plot_width = max(1, width - label_width)
    plot_height = max(1, height - (2 if x_labels else 1))
    codes, owners, styles = plotted(panel, plot_width, plot_height, replace(settings, cursor=None))
    cursor = _cursor_column(plot_width, settings)
    labels = y_ticks(settings.scale, plot_height)
    edge = "|" if settings.ascii_only else "│"
    tick = "+" if settings.ascii_only else "┤"
    rows: list[Row] = [title]
    for y in range(plot_height):
        label = fit(labels.get(y, ""), label_width - 1, right=True)
        axis = label + (tick if y in labels and y_labels else edge)
        rows.append((("".join(axis), "axis"), *_runs(codes[y], owners[y], styles, cursor)))
    if x_labels:
        rows.append(_x_axis(plot_width, label_width, settings))
    return rows


@lru_cache(maxsize=256)
def plotted(
    panel: Panel, width: int, height: int, settings: PlotSettings
) -> tuple[Ints, Ints, list[str]]:
    """Characters and owners of the plot, each (height, width), and the style of each owner.

    Remembered, so that moving the cursor along the epochs draws no curve again: do not change it.
    """
    raster, styles = plot(panel, width, height, settings)
    codes, owners = raster.render()
    codes, owners = _characters(codes, owners, styles, settings)
    _mark_peak(codes, owners, panel, settings)
    _mark_cut_points(codes, owners, panel, settings)
    if settings.letters:
        _put_letters(codes, owners, panel, settings)
    return codes, owners, styles


def plot(panel: Panel, width: int, height: int, settings: PlotSettings) -> tuple[Raster, list[str]]:
    """The raster of `panel`, and the style of each owner in it."""
    raster = Raster(width, height, ascii_only=settings.ascii_only)
    styles: list[str] = []
    first, last = settings.epochs

    def place_x(x: Floats) -> Floats:
        return (x - first) / max(1, last - first)

    def place_y(y: Floats) -> Floats:
        return settings.scale.fractions(y)

    for curve in panel.curves:
        if curve.low is not None and curve.high is not None:
            raster.band(place_x(curve.x), place_y(curve.low), place_y(curve.high), len(styles))
            styles.append(_style(curve, settings) + "-band")
    for level in panel.references:
        pattern = SPARSE if level.kind == "always-yes" else DASHED
        raster.level(settings.scale.fraction(level.y), len(styles), pattern)
        styles.append(level.kind)
    if panel.curves:
        raster.curves(
            place_x(np.concatenate([curve.x for curve in panel.curves])),
            place_y(np.concatenate([curve.y for curve in panel.curves])),
            [len(curve.x) for curve in panel.curves],
            range(len(styles), len(styles) + len(panel.curves)),
            [_pattern(curve, settings) for curve in panel.curves],
        )
    styles.extend(_style(curve, settings) for curve in panel.curves)
    return raster, styles


def _style(curve: Curve, settings: PlotSettings) -> str:
    if not settings.many:
        return curve.side
    return f"group-{curve.group}" + ("-train" if curve.side == "train" else "")


def _pattern(curve: Curve, settings: PlotSettings) -> tuple[bool, ...]:
    if curve.side == "train":
        return DOTTED
    return PATTERNS[curve.group % len(PATTERNS)] if settings.many else SOLID


def _characters(
    codes: Ints, owners: Ints, styles: Sequence[str], settings: PlotSettings
) -> tuple[Ints, Ints]:
    if not settings.ascii_only:
        return codes, owners
    marks = np.array([ord(ascii_mark(s)) for s in styles] + [32], dtype=np.int64)
    return marks[owners], owners


def ascii_mark(style: str) -> str:
    """The character that stands for a curve where there is no braille."""
    if style.startswith("group-"):
        letter = LETTERS[int(style.split("-")[1]) % 26]
        return "." if style.endswith("-band") else letter if "train" in style else letter.upper()
    fixed = {"train": "o", "test": "*", "base-train": "-", "base-test": "=", "always-yes": "."}
    return fixed.get(style, " ")


def _put_letters(codes: Ints, owners: Ints, panel: Panel, settings: PlotSettings) -> None:
    """The group's letter at the end of each test curve, for eyes and terminals without colour."""
    height, width = codes.shape
    first, last = settings.epochs
    start = len(panel.references) + sum(c.low is not None for c in panel.curves)
    for owner, curve in enumerate(panel.curves, start):
        finite = np.flatnonzero(np.isfinite(curve.y))
        if curve.side != "test" or not len(finite):
            continue
        place = settings.scale.fraction(float(curve.y[finite[-1]]))
        x = (float(curve.x[finite[-1]]) - first) / max(1, last - first)
        if not (np.isfinite(place) and 0 <= place <= 1 and 0 <= x <= 1):
            continue
        row, column = round((1 - place) * (height - 1)), round(x * (width - 1))
        letter = LETTERS[curve.group % 26]
        codes[row, column] = ord(letter.upper() if settings.ascii_only else letter)
        owners[row, column] = owner


def _mark_peak(codes: Ints, owners: Ints, panel: Panel, settings: PlotSettings) -> None:
    """A dot on the best value of a test curve that is alone in its cell."""
    test = [(i, c) for i, c in enumerate(panel.curves) if c.side == "test"]
    if len(test) != 1 or not np.isfinite(test[0][1].y).any():
        return
    index, curve = test[0]
    best = int(np.nanargmin(curve.y) if settings.lowest_is_best else np.nanargmax(curve.y))
    height, width = codes.shape
    first, last = settings.epochs
    place = settings.scale.fraction(float(curve.y[best]))
    x = (float(curve.x[best]) - first) / max(1, last - first)
    if not (np.isfinite(place) and 0 <= place <= 1 and 0 <= x <= 1):
        return
    row, column = round((1 - place) * (height - 1)), round(x * (width - 1))
    codes[row, column] = ord("X" if settings.ascii_only else "●")
    start = len(panel.references) + sum(c.low is not None for c in panel.curves)
    owners[row, column] = start + index


def _mark_cut_points(codes: Ints, owners: Ints, panel: Panel, settings: PlotSettings) -> None:
    """An arrow at the edge of the plot for each test value beyond it."""
    height, width = codes.shape
    first, last = settings.epochs
    up, down = (ord(c) for c in ("^v" if settings.ascii_only else "↑↓"))
    start = len(panel.references) + sum(c.low is not None for c in panel.curves)
    for owner, curve in enumerate(panel.curves, start):
        if curve.side != "test":
            continue
        places = settings.scale.fractions(curve.y)
        columns = np.rint((curve.x - first) / max(1, last - first) * (width - 1))
        inside = (columns >= 0) & (columns < width)
        for row, arrow, beyond in ((0, up, places > 1), (height - 1, down, places < 0)):
            at = columns[beyond & inside].astype(np.int64)
            codes[row, at], owners[row, at] = arrow, owner


def _cursor_column(width: int, settings: PlotSettings) -> int | None:
    if settings.cursor is None:
        return None
    first, last = settings.epochs
    place = (settings.cursor - first) / max(1, last - first)
    return round(place * (width - 1)) if 0 <= place <= 1 else None


def _runs(codes: Ints, owners: Ints, styles: Sequence[str], cursor: int | None) -> list[Text]:
    """One row of the plot as stretches of one style."""
    text = codes.astype("<u4").tobytes().decode("utf-32-le")
    flags = owners
    if cursor is not None:
        flags = owners.copy()
        flags[cursor] += 10_000
    edges = np.flatnonzero(np.diff(flags)) + 1
    bounds = [0, *edges.tolist(), len(text)]
    runs = []
    for start, stop in pairwise(bounds):
        owner, suffix = int(flags[start]), ""
        if owner >= 9_999:
            owner, suffix = owner - 10_000, CURSOR
        name = "blank" if owner == EMPTY else styles[owner]
        runs.append((text[start:stop], name + suffix))
    return runs


def _x_axis(width: int, label_width: int, settings: PlotSettings) -> Row:
    line = [" "] * width
    for column, label in x_ticks(*settings.epochs, width):
        line[column : column + len(label)] = label
    return ((" " * label_width + "".join(line), "axis"),)


def difference(before: Row, after: Row) -> tuple[int, int]:
    """The first and last (exclusive) character in which two rows differ."""
    old = [(c, style) for text, style in before for c in text]
    new = [(c, style) for text, style in after for c in text]
    stop = max(len(old), len(new))
    wide = max(sum(cells(text) for text, _ in row) for row in (before, after))
    if len(old) != len(new) or wide != stop:
        return 0, wide
    start = next((i for i in range(stop) if old[i] != new[i]), stop)
    while stop > start and old[stop - 1] == new[stop - 1]:
        stop -= 1
    return start, max(stop, start + 1)
