"""What is drawn in a cell of the grid: the curves and reference lines of the runs that share it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from postertui.analysis.statistics import t_quantile
from postertui.dashboard.charts.axes import Floats, Range, y_range
from postertui.dashboard.charts.deltas import Line, align, mean_line, mean_of_defined, subtract
from postertui.dashboard.number_format import always_yes
from postertui.dashboard.state.arrangement import compared_value
from postertui.dashboard.state.delta_basis import DeltaBasis
from postertui.dashboard.state.metrics import F_METRICS
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from postertui.runs.lifecycle import OPEN_STATES


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
    """A horizontal reference. `kind` is `base-train`, `base-test`, `always-yes` or `zero`."""

    kind: str
    y: float


@dataclass(frozen=True, eq=False)
class Panel:
    """All that one cell shows; one panel equals only itself.

    Within `noise` of zero a difference is none.
    """

    curves: tuple[Curve, ...] = ()
    references: tuple[ReferenceLine, ...] = ()
    noise: float | None = None
    running: bool = False
    dead: bool = False
    runs: int = 0

    @cached_property
    def extremes(self) -> tuple[float, ...]:
        """Values that a y axis must hold to hold all of them."""
        lines = [a for c in self.curves for a in (c.y, c.low, c.high) if a is not None]
        return (*_ends(np.concatenate(lines) if lines else np.empty(0)), *self._levels)

    @cached_property
    def typical(self) -> tuple[float, ...]:
        """Values that a y axis must hold to hold the references and nearly all of the test curves.

        The middle 96 % of the test values; the training curves where there are no others.
        """
        test = [c.y for c in self.curves if c.side == "test"] or [c.y for c in self.curves]
        values = np.concatenate(test) if test else np.empty(0)
        values = np.sort(values[np.isfinite(values)])
        if values.size > 10:
            # As values between two quantiles, which take twenty times as long at every tick.
            low, high = (share * (values.size - 1) for share in TYPICAL)
            values = values[math.ceil(low - 1e-9) : math.floor(high + 1e-9) + 1]
        return (*_ends(values), *self._levels)

    @property
    def _levels(self) -> tuple[float, ...]:
        noise = () if self.noise is None else (-self.noise, self.noise)
        return (*(line.y for line in self.references), *noise)

    def mean_at(self, epoch: int | None) -> float | None:
        """The mean of the test curves at `epoch`, or at the newest defined one of each."""
        values = []
        for curve in self.curves:
            if curve.side == "test":
                y = curve.y if epoch is None else curve.y[curve.x == epoch]
                values += y[np.isfinite(y)][-1:].tolist()
        return sum(values) / len(values) if values else None

    def count_outside(self, scale: Range) -> int:
        """How many values of test curves are outside of `scale`."""
        curves = (c.y for c in self.curves if c.side == "test")
        return sum(int(np.count_nonzero((y < scale.low) | (y > scale.high))) for y in curves)


#: The share of the values between which an axis goes unless the whole range is asked for.
TYPICAL = (0.02, 0.98)
#: The share of an axis beyond what it must hold.
MARGIN = 0.04
#: How far the axis goes up and down where every difference is none.
FLAT = 0.05
#: Fewer runs than this have no confidence interval that is worth drawing.
MIN_RUNS_FOR_INTERVAL = 4


def _ends(values: Floats) -> tuple[float, ...]:
    values = values[np.isfinite(values)]
    # The least above zero is what a logarithmic axis begins with.
    parts = [part for part in (values, values[values > 0]) if part.size]
    return tuple(float(end) for part in parts for end in (part.min(), part.max()))


def panel_of(
    runs: Sequence[RunView],
    groups: Sequence[str],
    options: ViewOptions,
    basis: DeltaBasis | None = None,
) -> Panel:
    """The curves and references of one cell; with a `basis` test curves less the reference's."""
    value_of = compared_value(options.compare)
    sides = ("train", "test") if options.train and basis is None else ("test",)
    curves: list[Curve] = []
    for side in sides:
        reference = (
            mean_line([series(r, side, options) for r in basis.runs]) if basis is not None else None
        )
        # A mean is over the seeds of one setting, never over settings.
        by_setting: dict[tuple[int, str], list[Line]] = {}
        for run in runs:
            x, y = series(run, side, options)
            if len(x):
                setting = (groups.index(value_of(run)), f"{run.variant}\0{run.study}")
                line = (x, y) if reference is None else subtract((x, y), reference)
                by_setting.setdefault(setting, []).append(line)
        for (group, _), lines in sorted(by_setting.items(), key=lambda entry: entry[0]):
            if options.seeds == "mean" and len(lines) > 1:
                curves.append(_mean(side, group, lines))
            else:
                curves.extend(Curve(side, group, x, y) for x, y in lines)
    references: tuple[ReferenceLine, ...] = ()
    if basis is not None:
        references = (ReferenceLine("zero", 0.0),)
    elif options.references and options.metric in F_METRICS:
        references = reference_lines(runs, sides)
    return Panel(
        curves=tuple(curves),
        references=references,
        noise=None if basis is None else basis.noise,
        running=any(r.state == "running" for r in runs),
        dead=any(r.dead for r in runs),
        runs=len(runs),
    )


def panel_options(options: ViewOptions) -> tuple[object, ...]:
    """What `panel_of` looks at."""
    return (
        options.metric, options.compare, options.train, options.seeds, options.references,
        options.smoothing, options.first_epoch, options.last_epoch, options.delta,
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


def _mean(side: str, group: int, lines: Sequence[Line]) -> Curve:
    """The mean over runs at each epoch that any of them has, and how far they are apart.

    From four runs on that is the 95 % interval of the mean (Student's t), which stays within the
    values themselves; with fewer it is from the lowest to the highest. None where one run is alone.
    """
    epochs, table = align(lines)
    finite = np.isfinite(table)
    count = finite.sum(axis=0)
    mean = mean_of_defined(table)
    squares = np.where(finite, (table - mean) ** 2, 0.0).sum(axis=0)
    sd = np.sqrt(squares / np.maximum(count - 1, 1))
    is_enough = count >= MIN_RUNS_FOR_INTERVAL
    half = np.full(len(count), np.inf)
    for n in np.unique(count[is_enough]).tolist():
        half[count == n] = t_quantile(0.975, n - 1) * sd[count == n] / math.sqrt(n)
    lowest = np.where(finite, table, np.inf).min(axis=0)
    highest = np.where(finite, table, -np.inf).max(axis=0)
    several = count > 1
    low = np.where(several, np.maximum(mean - half, lowest), np.nan)
    high = np.where(several, np.minimum(mean + half, highest), np.nan)
    return Curve(side, group, epochs, mean, low, high)


def epoch_range(runs: Iterable[RunView], options: ViewOptions) -> tuple[int, int]:
    """First and last epoch of the x axis: what was asked for, widened to what was reached."""
    last = max((reached_epoch(r) for r in runs), default=10)
    first = options.first_epoch or 1
    return first, max(options.last_epoch or last, first + 1)


def reached_epoch(run: RunView) -> int:
    """The last epoch that a run has reached; while it goes on, the next round number."""
    if run.state not in OPEN_STATES:
        return run.epoch
    if not run.epoch and run.state != "running":
        return 0
    step = int(10 ** max(1, len(str(run.epoch)) - 1))
    round_number = -(-(run.epoch + 1) // step) * step
    return min(round_number, run.epochs) if run.epochs else round_number


def value_range(panels: Iterable[Panel], options: ViewOptions) -> Range:
    """One y range for `panels`: what is typical of them, or with `whole_y` all of it."""
    if options.whole_y:
        values = [value for panel in panels for value in panel.extremes]
        from_zero = options.metric in F_METRICS and not options.delta
        return y_range(values, log=options.log_y and not options.delta, from_zero=from_zero)
    values = [v for p in panels for v in p.typical]
    log = options.log_y and not options.delta
    if values and not log:
        margin = MARGIN * (max(values) - min(values))
        # Nothing below zero where no value is.
        low = min(values) - margin if min(values) < 0 else max(0.0, min(values) - margin)
        values += [max(values) + margin, low]
    if options.delta and not any(values):
        values = [-FLAT, FLAT]
    return y_range(values, log=log)
