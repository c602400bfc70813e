"""What went wrong in a run, derived from its history alone.

Each finding says since which epoch, in one line, and what to try. A run can have several; one that
is dead or has collapsed has no trend.

Trends (overfitting, improving) of a setting with three seeds or more are those of its seeds
together. The peak of a curve is picked because it is high, so each seed's fall is measured from
the peak of the other seeds' mean: on flat curves it is zero on average, however one epoch hangs
together with the next, and Student's t over the seeds holds. A single seed has only its scatter
from epoch to epoch to go by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from postertui.analysis.cohorts import batch_size, cohort_facts
from postertui.analysis.statistics import Floats, t_p_value, t_ratio
from postertui.analysis.values import dead_rows
from postertui.data.dataset import always_yes_f

Kind = Literal[
    "dead",
    "always-yes",
    "always-no",
    "empty batches",
    "diverging",
    "overfitting",
    "improving",
]

#: Worst first.
KINDS: tuple[Kind, ...] = (
    "dead",
    "always-yes",
    "always-no",
    "diverging",
    "empty batches",
    "overfitting",
    "improving",
)

#: From so many seeds on, trends are theirs together, at this level of a one-sided t test.
_ENOUGH_SEEDS = 3
_TREND_ALPHA = 0.01
#: A trend moves the metric by this share of its level, or it is not worth a finding.
_WORTH = 0.01

#: The fewest epochs that make a trend.
_ENOUGH_EPOCHS = 5
#: Metrics count as moved beyond this many times their jitter from epoch to epoch. The peak of a
#: curve is picked because it is high: at 3 one flat curve in thirty seems to fall, at 2 one in
#: nine.
_BEYOND = 3.0
#: The same beside what a curve wanders whose epochs hang together.
_BEYOND_WANDER = 1.5

FINDING_SCHEMA = {
    "run": pl.String,
    "name": pl.String,
    "genre": pl.String,
    "seed": pl.Int64,
    "kind": pl.String,
    "since_epoch": pl.Int64,
    "line": pl.String,
    "advice": pl.String,
}


@dataclass(frozen=True)
class RunFinding:
    """One thing that is wrong with a run, since `since_epoch`.

    `line` explains it and `advice` says what to try, in one sentence each.
    """

    kind: Kind
    since_epoch: int
    line: str
    advice: str


def diagnose_table(table: pl.DataFrame) -> pl.DataFrame:
    """The findings of every run of a history table (`FINDING_SCHEMA`), by genre and name."""
    settings: dict[tuple[str, str], list[_Run]] = {}
    for run in _runs(table):
        settings.setdefault((run.head["name"], run.head["genre"]), []).append(run)
    rows = [
        run.head
        | {"kind": finding.kind, "since_epoch": finding.since_epoch}
        | {"line": finding.line, "advice": finding.advice}
        for runs in settings.values()
        for run, findings in zip(runs, _setting_findings(runs), strict=True)
        for finding in sorted(findings, key=lambda f: KINDS.index(f.kind))
    ]
    frame = pl.DataFrame(rows, schema=FINDING_SCHEMA)
    order = pl.col("kind").cast(pl.Enum(KINDS))
    return frame.sort("genre", "name", "seed", "run", order, maintain_order=True)


def _setting_findings(runs: Sequence[_Run]) -> list[list[RunFinding]]:
    """The findings of each run of a setting, with the trends of its live runs together."""
    findings = [run.findings() for run in runs]
    live = [i for i, run in enumerate(runs) if run.is_live]
    curves = [runs[i].curves() for i in live]
    lengths = {tuple(curve.epochs) for curve in curves}
    if len(live) >= _ENOUGH_SEEDS and len(lengths) == 1 and curves[0].test.size >= _ENOUGH_EPOCHS:
        trend = _pooled_trend(curves)
        for i in live:
            findings[i] += [trend] if trend is not None else []
    else:
        for i, curve in zip(live, curves, strict=True):
            trend = runs[i].trend(curve)
            findings[i] += [trend] if trend is not None else []
    return findings


def _pooled_trend(curves: Sequence[_Curves]) -> RunFinding | None:
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


def _runs(table: pl.DataFrame) -> Iterator[_Run]:
    """The table's runs; its columns become vectors once, and each run gets slices of them."""
    if table.is_empty():
        return
    facts = {row["genre"]: row for row in cohort_facts(table).iter_rows(named=True)}
    table = table.with_columns(_batch=batch_size(table), _dead=dead_rows(table))
    table = table.sort("run", "epoch")
    metrics = {
        name: table[name].cast(pl.Float64).fill_null(math.nan).to_numpy()
        for name in table.columns
        if name.startswith(("train_", "test_"))
    }
    epochs, dead = table["epoch"].to_numpy(), table["_dead"].to_numpy()
    heads = table.group_by("run", maintain_order=True).agg(
        pl.first("name", "genre", "seed", "_batch"), pl.len()
    )
    start = 0
    for head in heads.iter_rows(named=True):
        rows = slice(start, start + head.pop("len"))
        start = rows.stop
        batch = head.pop("_batch")
        columns = {name: values[rows] for name, values in metrics.items()}
        yield _Run(head, facts[head["genre"]], batch, epochs[rows].tolist(), dead[rows], columns)


@dataclass(frozen=True)
class _Run:
    """One run's history as vectors over its epochs, NaN where a metric is undefined.

    `head` holds what is the same in all its rows, `facts` its genre's `cohort_facts`.
    """

    head: dict[str, Any]
    facts: dict[str, Any]
    batch: int
    epochs: list[int]
    is_dead: Any
    columns: dict[str, Floats]

    def findings(self) -> list[RunFinding]:
        findings = [self._dead(), self._collapsed()]
        if findings == [None, None]:
            findings.append(self._diverging())
        findings.append(self._empty_batches())
        return [finding for finding in findings if finding is not None]

    @property
    def is_live(self) -> bool:
        """Whether it has trends: it has neither died nor collapsed."""
        return self._dead() is None and self._collapsed() is None

    def trend(self, curves: _Curves) -> RunFinding | None:
        """Overfitting or still improving, from this run alone."""
        return self._overfitting(curves) or self._improving(curves)

    def _column(self, name: str) -> Floats:
        return self.columns.get(name, np.full(len(self.epochs), math.nan))

    def _dead(self) -> RunFinding | None:
        if not self.is_dead.any():
            return None
        since = self.epochs[int(self.is_dead.argmax())]
        why = "most likely a batch without a positive, whose F is 0/0"
        rate, posters = self.facts["train_base_rate"], self.facts["train_posters"]
        if rate is not None and posters is not None:
            chance = 1 - (1 - (1 - rate) ** self.batch) ** (posters / self.batch)
            why += f" ({_percent(chance)} of epochs have one)"
        return RunFinding(
            "dead",
            since,
            f"The weights are NaN since epoch {since}: {why}. It goes on, but learns nothing.",
            "Train it in sound mode, which skips the update of such a batch, or in larger batches.",
        )

    def _collapsed(self) -> RunFinding | None:
        if self.is_dead.any():
            return None
        rate, posters = self.facts["test_base_rate"], self.facts["test_posters"]
        counts = [self._column(f"test_{c}") for c in ("tp", "fp", "fn", "tn")]
        if not np.isnan(counts).all():
            tp, fp, fn, tn = counts
            yes, no = fn + tn == 0, tp + fp == 0
        elif rate is not None:
            accuracy = self._column("test_accuracy")
            # Half a poster of rounding; where the cohort's size is unknown, as good as that.
            within = 0.6 / posters if posters else 1e-5
            yes, no = abs(accuracy - rate) < within, abs(accuracy - (1 - rate)) < within
            # An accuracy can pass through 1 - m by chance: two epochs in a row it does not, nor
            # once with a soft F above always-yes.
            no = no & ~(self._column("test_fscore") > always_yes_f(rate))
            yes, no = (_tail(x) if _tail(x).sum() > 1 else x & False for x in (yes, no))
        else:
            return None
        for kind, says in (("always-yes", _tail(yes)), ("always-no", _tail(no))):
            if says.any():
                return self._collapse_finding(kind, self.epochs[int(says.argmax())])
        return None

    def _collapse_finding(self, kind: str, since: int) -> RunFinding:
        rate = self.facts["test_base_rate"]
        if kind == "always-yes":
            baseline = "" if rate is None else f" F {always_yes_f(rate):.3f} costs nothing."
            return RunFinding(
                "always-yes",
                since,
                f"Predicts yes for every poster since epoch {since}.{baseline}",
                "Lower the learning rate or weaken the regularizer; compare with base.",
            )
        share = "" if rate is None else f" {_percent(1 - rate)} accuracy means nothing here."
        return RunFinding(
            "always-no",
            since,
            f"Predicts no for every poster since epoch {since}.{share}",
            "Train on the soft F-score, or on BCE with class weights; lower the learning rate.",
        )

    def _empty_batches(self) -> RunFinding | None:
        ran = ~np.isnan(self._column("test_accuracy")) & ~self.is_dead
        undefined = ran & np.isnan(self._column("test_fscore"))
        if not undefined.any():
            return None
        rate, posters = self.facts["test_base_rate"], self.facts["test_posters"]
        expected = ""
        if rate is not None and posters is not None:
            batches = math.ceil(posters / self.batch)
            number = batches * (1 - rate) ** self.batch
            expected = f" ({number:.2g} of {batches} expected in a random order)"
        pooled = not np.isnan(self._column("test_fscore_soft")).all()
        genre = self.head["genre"]
        return RunFinding(
            "empty batches",
            self.epochs[int(undefined.argmax())],
            f"Test F is undefined in {undefined.sum()} of {ran.sum()} live epochs: a batch of "
            f"{self.batch} test posters has no {genre}{expected}, and 0/0 spoils the mean.",
            "Read test_fscore_soft, which is over the whole cohort."
            if pooled
            else "Train it again: today's test_fscore_soft is over the whole cohort.",
        )

    def _diverging(self) -> RunFinding | None:
        keep, loss = _finite(self._column("train_loss"))
        if loss.size < _ENOUGH_EPOCHS:
            return None
        lowest = int(loss[:-1].argmin())
        rise = float(loss[-2:].mean() - loss[lowest])
        if rise < max(0.1 * abs(float(loss[lowest])), 0.001, _BEYOND * _jitter(loss)):
            return None
        since = self.epochs[int(keep[min(lowest + 1, loss.size - 1)])]
        return RunFinding(
            "diverging",
            since,
            f"Training loss rises since epoch {since}: from {loss[lowest]:.3g} to {loss[-1]:.3g}.",
            "Lower the learning rate.",
        )

    def _overfitting(self, curves: _Curves) -> RunFinding | None:
        test, train = curves.test, curves.train
        if test.size < _ENOUGH_EPOCHS:
            return None
        smooth = np.convolve(test, np.ones(3) / 3, mode="valid")
        peak = int(smooth.argmax())
        drop = float(smooth[peak] - smooth[-1])
        # Two means of three epochs differ by sqrt(2/3) of one epoch's jitter.
        if smooth.size - 1 - peak < 2 or drop <= _BEYOND * math.sqrt(2 / 3) * _jitter(test):
            return None
        if drop <= _wander(test, test.size - 2 - peak):
            return None
        if drop < _WORTH * abs(float(smooth[peak])) or not train[-1] > train[peak + 1]:
            return None
        since = curves.epochs[peak + 2]
        return _overfitting_finding(since, smooth[peak], smooth[-1], "means of three epochs")

    def _improving(self, curves: _Curves) -> RunFinding | None:
        test = curves.test
        if test.size < _ENOUGH_EPOCHS:
            return None
        width = max(4, test.size // 3)
        slope = float(np.polyfit(np.arange(width), test[-width:], 1)[0])
        gain = slope * (width - 1)
        if gain <= _BEYOND * _jitter(test) or test.argmax() < test.size - 2:
            return None
        if gain <= _wander(test, width - 1):
            return None
        if gain < _WORTH * abs(float(test[-1])):
            return None
        return _improving_finding(curves.epochs[-width], slope, "")

    def curves(self) -> _Curves:
        """The test curve where it is defined, and the training curve there; up is better.

        Soft F over the cohort, else the published F, else the loss.
        """
        for metric, sign in (("fscore_soft", 1), ("fscore", 1), ("loss", -1)):
            keep, test = _finite(sign * self._column(f"test_{metric}"))
            if test.size >= _ENOUGH_EPOCHS:
                break
        train = (sign * self._column(f"train_{metric}"))[keep]
        return _Curves([self.epochs[i] for i in keep], test, train)


@dataclass(frozen=True)
class _Curves:
    """A run's test and training metric over the epochs in which the test metric is defined."""

    epochs: list[int]
    test: Floats
    train: Floats


def _finite(values: Floats) -> tuple[Any, Floats]:
    keep = np.flatnonzero(np.isfinite(values))
    return keep, values[keep]


def _tail(flags: Any) -> Any:
    """`flags` with only their unbroken run at the end left."""
    return np.logical_and.accumulate(flags[::-1])[::-1]


def _jitter(values: Floats) -> float:
    """How far one epoch scatters around a smooth curve: from second differences.

    For independent scatter with variance v a second difference has variance 6v.
    """
    return math.sqrt(float((np.diff(values, 2) ** 2).mean()) / 6)


def _wander(values: Floats, steps: int) -> float:
    """How far a curve without a trend gets in so many epochs if each goes on from the last.

    As for a random walk, whose steps have 3 times the variance of its jitter.
    """
    return _BEYOND_WANDER * math.sqrt(3 * steps) * _jitter(values)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.2g} %"
