"""Curves as differences to the reference's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from postertui.dashboard.charts.axes import Floats

Line = tuple[Floats, Floats]  # epochs, values


def align(lines: Sequence[Line]) -> tuple[Floats, Floats]:
    """All epochs of `lines`, and the value of each line at each, (lines, epochs); NaN for none."""
    if not lines:
        return np.empty(0), np.empty((0, 0))
    epochs = np.unique(np.concatenate([x for x, _ in lines]))
    table = np.full((len(lines), len(epochs)), np.nan)
    for row, (x, y) in enumerate(lines):
        table[row, np.searchsorted(epochs, x)] = y
    return epochs, table


def mean_of_defined(table: Floats) -> Floats:
    """The mean of each column's finite values; NaN where there is none."""
    finite = np.isfinite(table)
    count = finite.sum(axis=0)
    total = np.where(finite, table, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def mean_line(lines: Sequence[Line]) -> Line:
    """The mean of `lines` at each epoch that any of them has; NaN where none is defined."""
    epochs, table = align(lines)
    return epochs, mean_of_defined(table)


def subtract(line: Line, reference: Line) -> Line:
    """`line` minus `reference` at each epoch of the line; NaN where the reference has none."""
    (x, y), (epochs, values) = line, reference
    if not len(epochs):
        return x, np.full_like(y, np.nan)
    at = np.minimum(np.searchsorted(epochs, x), len(epochs) - 1)
    return x, np.where(epochs[at] == x, y - values[at], np.nan)
