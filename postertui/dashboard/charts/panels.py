"""Which runs share a cell of the grid, and what is drawn in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from postertui.dashboard.charts.axes import Range, y_range
from postertui.dashboard.charts.raster import Floats, Ints
from postertui.dashboard.number_format import always_yes
from postertui.dashboard.state.arrangement import compared_value
from postertui.dashboard.state.metrics import F_METRICS
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions


@dataclass(frozen=True)
class Curve:
    """One line: a run's metric, or several runs' mean with its 95 % interval, `low` to `high`.

    `group` is the index into `Arrangement.groups`; `x` are epochs, NaN in `y` is a gap.
    """

    side: str
    group: int
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True)
class ReferenceLine:
    """A horizontal reference. `kind` is `base-train`, `base-test` or `always-yes`."""

    kind: str
    y: float


@dataclass(frozen=True, eq=False)
class Panel:
    """All that one cell shows; one panel equals only itself."""

    curves: tuple[Curve, ...] = ()
    references: tuple[ReferenceLine, ...] = ()
    running: bool = False
    dead: bool = False
    runs: int = 0

    @cached_property
    def extremes(self) -> tuple[float, ...]:
        """Values that a y axis must hold to hold all of them."""
        lines = [a for c in self.curves for a in (c.y, c.low, c.high) if a is not None]
        every = np.concatenate(lines) if lines else np.empty(0)
        every = every[np.isfinite(every)]
        # The least above zero is what a logarithmic axis begins with.
        parts = [part for part in (every, every[every > 0]) if part.size]
        ends = [float(end) for part in parts for end in (part.min(), part.max())]
        return (*ends, *(level.y for level in self.references))


def panel_of(runs: Sequence[RunView], groups: Sequence[str], options: ViewOptions) -> Panel:
    """The curves and references of one cell."""
    value_of = compared_value(options.compare)
    sides = ("train", "test") if options.train else ("test",)
    curves: list[Curve] = []
    for side in sides:
        by_group: dict[int, list[tuple[Floats, Floats]]] = {}
        for run in runs:
            x, y = series(run, side, options)
            if len(x):
                by_group.setdefault(groups.index(value_of(run)), []).append((x, y))
        for group, lines in sorted(by_group.items()):
            if options.seeds == "mean" and len(lines) > 1:
                curves.append(_mean(side, group, lines))
            else:
                curves.extend(Curve(side, group, x, y) for x, y in lines)
    references = (
        reference_lines(runs, sides) if options.references and options.metric in F_METRICS else ()
    )
    return Panel(
        curves=tuple(curves),
        references=references,
        running=any(r.state == "running" for r in runs),
        dead=any(r.dead for r in runs),
        runs=len(runs),
    )


def panel_options(options: ViewOptions) -> tuple[object, ...]:
    """What `panel_of` looks at."""
    return (
        options.metric, options.compare, options.train, options.seeds, options.references,
        options.smoothing, options.first_epoch, options.last_epoch,
    )  # fmt: skip


def series(run: RunView, side: str, options: ViewOptions) -> tuple[Floats, Floats]:
    """Epochs and values within the chosen epochs, smoothed; NaN where undefined."""
    column = run.column(side, options.metric)
    if column is None:
        return np.empty(0), np.empty(0)
    x, y = run.history.array("epoch"), run.history.array(column)
    if options.smoothing:
        y = smooth(y, options.smoothing)
    if options.first_epoch or options.last_epoch:
        keep = (x >= options.first_epoch) & (x <= (options.last_epoch or math.inf))
        x, y = x[keep], y[keep]
    return x, y


def smooth(y: Floats, weight: float) -> Floats:
    """Exponential smoothing without bias at the start (as TensorBoard's); NaN stays a gap."""
    smoothed = np.full_like(y, np.nan)
    total = norm = 0.0
    for i, value in enumerate(y):
        if math.isfinite(value):
            total = weight * total + (1 - weight) * value
            norm = weight * norm + (1 - weight)
            smoothed[i] = total / norm
    return smoothed


def reference_lines(runs: Sequence[RunView], sides: Sequence[str]) -> tuple[ReferenceLine, ...]:
    """The base rates of the cell's genre, and the F of always-yes in the test cohort."""
    references: list[ReferenceLine] = []
    with_base_rate = next((r for r in runs if r.test_base_rate is not None), None)
    if with_base_rate is None:
        return ()
    if "train" in sides and with_base_rate.train_base_rate is not None:
        references.append(ReferenceLine("base-train", with_base_rate.train_base_rate))
    yes = always_yes(with_base_rate.test_base_rate)
    assert with_base_rate.test_base_rate is not None and yes is not None
    references.append(ReferenceLine("base-test", with_base_rate.test_base_rate))
    references.append(ReferenceLine("always-yes", yes))
    return tuple(references)


def _mean(side: str, group: int, lines: Sequence[tuple[Floats, Floats]]) -> Curve:
    """The mean over runs at each epoch that any of them has, and its 95 % interval (Student's t).

    No interval where one run is alone.
    """
    epochs = np.unique(np.concatenate([x for x, _ in lines]))
    table = np.full((len(lines), len(epochs)), np.nan)
    for row, (x, y) in enumerate(lines):
        table[row, np.searchsorted(epochs, x)] = y
    finite = np.isfinite(table)
    count = finite.sum(axis=0)
    filled = np.where(finite, table, 0.0)
    mean = np.where(count > 0, filled.sum(axis=0) / np.maximum(count, 1), np.nan)
    squares = np.where(finite, (table - mean) ** 2, 0.0).sum(axis=0)
    sd = np.sqrt(squares / np.maximum(count - 1, 1))
    half = np.where(count > 1, t_975(count - 1) * sd / np.sqrt(np.maximum(count, 1)), np.nan)
    return Curve(side, group, epochs, mean, mean - half, mean + half)


_T_975 = np.array(
    [np.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
     2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]
)  # fmt: skip


def t_975(df: Ints) -> Floats:
    """Student's t at .975 for `df` degrees of freedom, without waiting for SciPy's import."""
    tail = 1.96 + 2.53 / np.maximum(df, 1)
    return np.where(df < len(_T_975), _T_975[np.clip(df, 0, len(_T_975) - 1)], tail)


def epoch_range(runs: Iterable[RunView], options: ViewOptions) -> tuple[int, int]:
    """First and last epoch of the x axis: what was asked for, widened to what was trained."""
    last = max((max(r.epochs, r.epoch) for r in runs), default=10)
    first = options.first_epoch or 1
    return first, max(options.last_epoch or last, first + 1)


def value_range(panels: Iterable[Panel], options: ViewOptions) -> Range:
    """One y range that holds everything in `panels`."""
    values = [value for panel in panels for value in panel.extremes]
    is_score = options.metric in F_METRICS
    return y_range(values, log=options.log_y, from_zero=is_score)
