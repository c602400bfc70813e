"""One cell of the grid as rows of styled text: a title, the plot with its y labels, the x axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from postertui.dashboard.charts.axes import x_ticks, y_ticks
from postertui.dashboard.charts.highlights import LETTERS
from postertui.dashboard.charts.panels import Panel
from postertui.dashboard.charts.plot import PlotSettings, curve_ends, plotted, spread_rows
from postertui.dashboard.charts.raster import EMPTY, Ints
from postertui.dashboard.terminal.theme import CURSOR
from postertui.dashboard.text_width import StyledText, cells, cut_middle, fit

Row = tuple[StyledText, ...]

LABEL_WIDTH = 5
MIN_WIDTH, MIN_HEIGHT = 20, 6
#: Narrower plots have no names at the ends of their curves, only letters.
MIN_WIDTH_FOR_NAMES = 36


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
    names_width = width_of_names(width - label_width, settings)
    plot_width = max(1, width - label_width - names_width)
    plot_height = max(1, height - (2 if x_labels else 1))
    codes, owners, styles = plotted(panel, plot_width, plot_height, replace(settings, cursor=None))
    cursor = _cursor_column(plot_width, settings)
    labels = y_ticks(settings.scale, plot_height)
    names = _names(panel, names_width, plot_height, settings)
    edge = "|" if settings.ascii_only else "│"
    tick = "+" if settings.ascii_only else "┤"
    rows: list[Row] = [title]
    for y, stretches in enumerate(_stretches(codes, owners, styles, cursor)):
        label = fit(labels.get(y, ""), label_width - 1, right=True)
        axis = label + (tick if y in labels and y_labels else edge)
        name = (names.get(y, (" " * names_width, "blank")),) if names_width else ()
        rows.append((("".join(axis), "axis"), *stretches, *name))
    if x_labels:
        line, style = _x_axis(plot_width, label_width, settings)
        rows.append(((line + " " * names_width, style),))
    return rows


def width_of_names(width: int, settings: PlotSettings) -> int:
    """How many of the `width` characters right of the y axis are for the names of curves."""
    shown = settings.highlights.names if settings.highlights is not None else ()
    if not settings.letters or not shown or width < MIN_WIDTH_FOR_NAMES:
        return 0
    return min(max(len(name) for name in shown), width // 4) + 3


def _names(panel: Panel, width: int, height: int, settings: PlotSettings) -> dict[int, StyledText]:
    """By row, letter and name of the curve that ends near it."""
    if not width or settings.highlights is None:
        return {}
    ends: dict[int, int] = {}
    for _, place, _, row in curve_ends(panel, height, settings):
        ends.setdefault(place, row)
    placed = sorted(list(ends.items())[:height], key=lambda end: end[1])
    rows = spread_rows([row for _, row in placed], height)
    names: dict[int, StyledText] = {}
    for (place, _), row in zip(placed, rows, strict=True):
        letter = LETTERS[place % len(LETTERS)]
        letter = letter.upper() if settings.ascii_only else letter
        name = cut_middle(settings.highlights.names[place], width - 3)
        names[row] = (fit(f" {letter} {name}", width), f"group-{place}")
    return names


def _cursor_column(width: int, settings: PlotSettings) -> int | None:
    if settings.cursor is None:
        return None
    first, last = settings.epochs
    place = (settings.cursor - first) / max(1, last - first)
    return round(place * (width - 1)) if 0 <= place <= 1 else None


def _stretches(
    codes: Ints, owners: Ints, styles: Sequence[str], cursor: int | None
) -> list[list[StyledText]]:
    """Each row of the plot as stretches of one style."""
    height, width = codes.shape
    text = codes.astype("<u4").tobytes().decode("utf-32-le")
    flags = owners
    if cursor is not None:
        flags = owners.copy()
        flags[:, cursor] += 10_000
    # All rows at once: a row has few characters, and a call of NumPy takes as long for all of them.
    begins = np.ones((height, width), dtype=bool)
    np.not_equal(flags[:, 1:], flags[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    bounds = [*starts.tolist(), height * width]
    rows: list[list[StyledText]] = [[] for _ in range(height)]
    for start, stop, owner in zip(bounds, bounds[1:], flags.ravel()[starts].tolist(), strict=False):
        suffix = ""
        if owner >= 9_999:
            owner, suffix = owner - 10_000, CURSOR
        name = "blank" if owner == EMPTY else styles[owner]
        rows[start // width].append((text[start:stop], name + suffix))
    return rows


def _x_axis(width: int, label_width: int, settings: PlotSettings) -> StyledText:
    line = [" "] * width
    for column, label in x_ticks(*settings.epochs, width):
        line[column : column + len(label)] = label
    return " " * label_width + "".join(line), "axis"


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
