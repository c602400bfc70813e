"""Trends at the end of test curves: overfitting, and still improving.

Trends of a setting with three seeds or more are those of its seeds together. The peak of a curve is
picked because it is high, so each seed's fall is measured from the peak of the other seeds' mean:
on flat curves it is zero on average, however one epoch hangs together with the next, and Student's
t over the seeds holds. With one or two seeds there is only the scatter from epoch to epoch to go
by, of the one curve or of the mean of both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from postertui.analysis.findings import RunFinding
from postertui.analysis.statistics import Floats, t_p_value, t_ratio

#: The fewest epochs that make a trend.
ENOUGH_EPOCHS = 5
#: Metrics count as moved beyond this many times their jitter from epoch to epoch. The peak of a
#: curve is picked because it is high: at 3 one flat curve in thirty seems to fall, at 2 one in
#: nine.
BEYOND_JITTER = 3.0

#: From this many seeds on, a trend is tested over all of them, at this level of a one-sided t test.
_ENOUGH_SEEDS = 3
_TREND_ALPHA = 0.01
#: A trend moves the metric by this share of its level, or it is not worth a finding.
_WORTH = 0.01
#: The same as `BEYOND_JITTER`, of what a curve wanders whose epochs hang together. At 1.5 one flat
#: curve of ten epochs in eleven seems to have a trend if its autocorrelation is .8.
_BEYOND_WANDER = 2.2


@dataclass(frozen=True)
class Curves:
    """A test and a training metric over the epochs in which the test metric is defined.

    Both are such that more is better.
    """

    epochs: list[int]
    test: Floats
    train: Floats


def find_trend(curves: Sequence[Curves]) -> RunFinding | None:
    """Overfitting or still improving, from the curves of a setting's seeds over the same epochs."""
    if len(curves) >= _ENOUGH_SEEDS and curves[0].test.size >= ENOUGH_EPOCHS:
        return _pooled_trend(curves)
    mean = Curves(
        curves[0].epochs,
        np.mean([curve.test for curve in curves], axis=0),
        np.mean([curve.train for curve in curves], axis=0),
    )
    how = f"{len(curves)} seeds" if len(curves) > 1 else ""
    return _overfitting(mean, how) or _improving(mean, how)


def _pooled_trend(curves: Sequence[Curves]) -> RunFinding | None:
    """Overfitting or still improving, from the curves of several seeds."""
    test = np.array([curve.test for curve in curves])
    train = np.array([curve.train for curve in curves]).mean(axis=0)
    seeds, epochs = len(curves), curves[0].epochs
    smooth = np.lib.stride_tricks.sliding_window_view(test, 3, axis=1).mean(axis=2)
    others = (smooth.sum(axis=0) - smooth) / (seeds - 1)
    falls = smooth[np.arange(seeds), others.argmax(axis=1)] - smooth[:, -1]
    mean = smooth.mean(axis=0)
    peak = int(mean.argmax())
    if (
        mean.size - 1 - peak >= 2
        and _is_positive(falls, abs(float(mean[peak])))
        and train[-1] > train[peak + 1]
    ):
        return _overfitting_finding(
            epochs[peak + 2], mean[peak], mean[-1], f"means of three epochs and {seeds} seeds"
        )
    width = max(4, test.shape[1] // 3)
    slopes = np.polyfit(np.arange(width), test[:, -width:].T, 1)[0]
    if _is_positive(slopes * (width - 1), abs(float(test[:, -1].mean()))):
        return _improving_finding(epochs[-width], float(slopes.mean()), f" (mean of {seeds} seeds)")
    return None


def _is_positive(changes: Floats, level: float) -> bool:
    """Whether changes, one per seed, are above zero and large enough to matter."""
    mean, se = float(changes.mean()), float(changes.std(ddof=1)) / math.sqrt(changes.size)
    if mean <= max(_WORTH * level, 1e-9):
        return False
    return t_p_value(t_ratio(mean, se), changes.size - 1) / 2 < _TREND_ALPHA


def _overfitting_finding(since: int, peak: float, end: float, how: str) -> RunFinding:
    return RunFinding(
        "overfitting",
        since,
        f"Test falls since epoch {since} (from {abs(peak):.3f} to {abs(end):.3f}, {how}) while "
        "training still gains.",
        "Stop earlier, regularize more, or make the head smaller.",
    )


def _improving_finding(since: int, slope: float, how: str) -> RunFinding:
    return RunFinding(
        "improving",
        since,
        f"Still improving at the end: {slope:+.4f} an epoch since epoch {since}{how}.",
        "Train it for more epochs.",
    )


def _overfitting(curves: Curves, seeds: str) -> RunFinding | None:
    test, train = curves.test, curves.train
    if test.size < ENOUGH_EPOCHS:
        return None
    smooth = np.convolve(test, np.ones(3) / 3, mode="valid")
    peak = int(smooth.argmax())
    drop = float(smooth[peak] - smooth[-1])
    # Two means of three epochs differ by sqrt(2/3) of one epoch's jitter.
    if smooth.size - 1 - peak < 2 or drop <= BEYOND_JITTER * math.sqrt(2 / 3) * jitter(test):
        return None
    if drop <= _wander(test, test.size - 2 - peak):
        return None
    if drop < _WORTH * abs(float(smooth[peak])) or not train[-1] > train[peak + 1]:
        return None
    how = "means of three epochs" + (f" and {seeds}" if seeds else "")
    return _overfitting_finding(curves.epochs[peak + 2], smooth[peak], smooth[-1], how)


def _improving(curves: Curves, seeds: str) -> RunFinding | None:
    test = curves.test
    if test.size < ENOUGH_EPOCHS:
        return None
    width = max(4, test.size // 3)
    slope = float(np.polyfit(np.arange(width), test[-width:], 1)[0])
    gain = slope * (width - 1)
    if gain <= BEYOND_JITTER * jitter(test) or test.argmax() < test.size - 2:
        return None
    if gain <= _wander(test, width - 1):
        return None
    if gain < _WORTH * abs(float(test[-1])):
        return None
    how = f" (mean of {seeds})" if seeds else ""
    return _improving_finding(curves.epochs[-width], slope, how)


def jitter(values: Floats) -> float:
    """How far one epoch scatters around a smooth curve: from second differences.

    For independent scatter with variance v a second difference has variance 6v.
    """
    return math.sqrt(float((np.diff(values, 2) ** 2).mean()) / 6)


def _wander(values: Floats, steps: int) -> float:
    """How far a curve without a trend gets in that many epochs if each goes on from the last.

    As for a random walk, whose steps have 3 times the variance of its jitter; more where that is
    taken from few second differences.
    """
    few = 1 + 1 / (values.size - 2)
    return _BEYOND_WANDER * math.sqrt(3 * steps * few) * jitter(values)
