"""Ranges and ticks of the axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from postertui.dashboard.number_format import compact

Floats = npt.NDArray[np.float64]

#: Nothing smaller has a place on a logarithmic axis.
TINY = 1e-100


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, on a logarithmic scale if `log`."""

    low: float
    high: float
    log: bool = False

    def fraction(self, value: float) -> float:
        """Where `value` lies: 0 at `low`, 1 at `high`; NaN where it has no place."""
        if self.log:
            if value <= 0:
                return math.nan
            return (math.log(value) - math.log(self.low)) / (math.log(self.high / self.low))
        return (value - self.low) / (self.high - self.low)

    def fractions(self, values: Floats) -> Floats:
        """`fraction` of each of `values`."""
        if self.log:
            positive = np.where(values > 0, values, np.nan)
            return np.asarray(
                (np.log(positive) - math.log(self.low)) / math.log(self.high / self.low)
            )
        return np.asarray((values - self.low) / (self.high - self.low))

    def value(self, fraction: float) -> float:
        """The inverse of `fraction`."""
        if self.log:
            return self.low * math.pow(self.high / self.low, fraction)
        return self.low + fraction * (self.high - self.low)


def nice_step(span: float, steps: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts `span` into at most `steps`."""
    raw = span / max(1, steps)
    power = 10.0 ** math.floor(math.log10(raw))
    factor = next(f for f in (1, 2, 5, 10) if f * power >= raw * (1 - 1e-9))
    return factor * power


def y_range(values: Iterable[float], *, log: bool = False, from_zero: bool = False) -> Range:
    """A round range that holds all finite `values`; 0 to 1 where there are none."""
    finite = [v for v in values if math.isfinite(v) and (v > TINY or not log)]
    if not finite:
        return Range(0.001, 1.0, True) if log else Range(0.0, 1.0)
    low, high = min(finite), max(finite)
    if log:
        low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
        return Range(low, high if high > low else low * 10, True)
    if from_zero:
        low = min(0.0, low)
    if high - low < max(1e-10, 1e-9 * abs(high)):
        pad = abs(high) * 0.1 if abs(high) > 1e-9 else 0.5
        low, high = low - (0 if from_zero else pad), high + pad
    step = nice_step(high - low, 5)
    return Range(
        round(math.floor(low / step + 1e-9) * step, 12),
        round(math.ceil(high / step - 1e-9) * step, 12),
    )


@lru_cache(maxsize=256)
def y_ticks(scale: Range, rows: int) -> Mapping[int, str]:
    """Labels by character row (0 is the top) for a plot of `rows` rows."""
    if rows < 1:
        return {}
    # A label halfway between two rows would be off by much of a step, and one left out would look
    # like a mistake: a coarser step whose labels all have a place is better.
    for steps in range(max(1, rows // 2), 0, -1):
        values = _log_marks(scale, steps) if scale.log else _marks(scale, steps)
        exact = [(1 - scale.fraction(v)) * (rows - 1) for v in values]
        apart = abs(exact[0] - exact[-1]) / max(1, len(exact) - 1)
        if len(values) > 1 and all(abs(row - round(row)) < max(apart / 4, 1e-6) for row in exact):
            break
    else:
        values, exact = [scale.low, scale.high], [rows - 1.0, 0.0]
    return {round(row): _tick(v) for v, row in zip(values, exact, strict=True)}


def _marks(scale: Range, steps: int) -> list[float]:
    """The multiples within `scale` of a round step that cuts it into at most `steps`."""
    step = nice_step(scale.high - scale.low, steps)
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)] or [scale.low]


def _log_marks(scale: Range, steps: int) -> list[float]:
    """Powers of ten within `scale`, at most `steps` apart from the first."""
    first, last = round(math.log10(scale.low)), round(math.log10(scale.high))
    return [10.0**n for n in range(first, last + 1, max(1, math.ceil((last - first) / steps)))]


def _tick(value: float) -> str:
    """`value` without zeros that say nothing: `.4`, `1.5`, `20`."""
    text = compact(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def x_ticks(first: int, last: int, columns: int) -> list[tuple[int, str]]:
    """(column, label) of the epochs to name along `columns` characters, not overlapping."""
    if columns < 1:
        return []
    if last <= first:
        return [(0, str(first))]
    step = max(1, round(nice_step(last - first, max(1, columns // 8))))
    marks = [first, *(e for e in range(step, last, step) if e > first), last]
    ticks: list[tuple[int, str]] = []
    end_label = str(last)
    end_start = columns - len(end_label)
    free = 0
    for epoch in marks[:-1]:
        label = str(epoch)
        column = round((epoch - first) / (last - first) * (columns - 1))
        column = max(0, column - len(label) // 2)
        if column >= free and column + len(label) < end_start:
            ticks.append((column, label))
            free = column + len(label) + 1
    if end_start >= 0:
        ticks.append((end_start, end_label))
    return ticks
