"""What went wrong in a run, derived from its history alone.

Each finding says since which epoch, in one line, and what to try. A run can have several; one that
is dead or has collapsed has no trend (`postertui.analysis.trends`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.analysis.cohorts import batch_size, cohort_facts
from postertui.analysis.findings import FINDING_SCHEMA, KINDS, RunFinding
from postertui.analysis.repetition import without_copies
from postertui.analysis.row_states import dead_rows
from postertui.analysis.statistics import Floats
from postertui.analysis.trends import BEYOND_JITTER, ENOUGH_EPOCHS, Curves, find_trend, jitter
from postertui.data.base_rates import always_yes_f

Flags = NDArray[np.bool_]

#: Kinds of findings after which a run has no trend: it has died or collapsed.
_ENDS_OF_TRENDS = {"dead", "always-yes", "always-no"}


def diagnose_table(table: pl.DataFrame, copies: pl.DataFrame | None = None) -> pl.DataFrame:
    """The findings of every run of a history table.

    Parameters
    ----------
    table
        A history table.
    copies
        Its `repeated_histories`; None to find them here.

    Returns
    -------
    polars.DataFrame
        One row per finding (`FINDING_SCHEMA`), by genre and name. A history that is there several
        times, number for number, counts once.
    """
    settings: dict[tuple[str, str], list[_Run]] = {}
    for run in _runs(without_copies(table, copies)):
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
    """The findings of each run of a setting, with the trends of its live runs together.

    Runs that ended at different epochs have trends apart.
    """
    findings = [run.findings() for run in runs]
    curves = {
        i: run.curves()
        for i, (run, own) in enumerate(zip(runs, findings, strict=True))
        if not _ENDS_OF_TRENDS & {finding.kind for finding in own}
    }
    together: dict[tuple[int, ...], list[int]] = {}
    for i, curve in curves.items():
        together.setdefault(tuple(curve.epochs), []).append(i)
    for members in together.values():
        trend = find_trend([curves[i] for i in members])
        for i in members:
            findings[i] += [trend] if trend is not None else []
    return findings


def _runs(table: pl.DataFrame) -> Iterator[_Run]:
    """The table's runs; its columns become vectors once, of which each run looks at its rows."""
    if table.is_empty():
        return
    facts = {row["genre"]: row for row in cohort_facts(table).iter_rows(named=True)}
    table = table.with_columns(_batch=batch_size(table), _dead=dead_rows(table))
    table = table.sort("run", "epoch")
    metrics = {
        name: table[name].cast(pl.Float64).fill_null(math.nan).to_numpy()
        for name in table.columns
        if name.startswith(("train_", "test_")) and table.schema[name] != pl.String
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
        yield _Run(
            head, facts[head["genre"]], batch, epochs[rows].tolist(), dead[rows], metrics, rows
        )


@dataclass(frozen=True)
class _Run:
    """One run's history as vectors over its epochs, NaN where a metric is undefined.

    `head` holds what is the same in all its rows, `facts` its genre's `cohort_facts`; `metrics` are
    the whole table's, of which `rows` are the run's.
    """

    head: dict[str, Any]
    facts: dict[str, Any]
    batch: int
    epochs: list[int]
    is_dead: Flags
    metrics: dict[str, Floats]
    rows: slice

    def findings(self) -> list[RunFinding]:
        findings = [self._dead(), self._collapsed()]
        if findings == [None, None]:
            findings.append(self._diverging())
        findings.append(self._empty_batches())
        return [finding for finding in findings if finding is not None]

    def _column(self, name: str) -> Floats:
        values = self.metrics.get(name)
        return np.full(len(self.epochs), math.nan) if values is None else values[self.rows]

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
        for kind, is_constant in (("always-yes", _tail(yes)), ("always-no", _tail(no))):
            if is_constant.any():
                return self._collapse_finding(kind, self.epochs[int(is_constant.argmax())])
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
        if loss.size < ENOUGH_EPOCHS:
            return None
        lowest = int(loss[:-1].argmin())
        rise = float(loss[-2:].mean() - loss[lowest])
        if rise < max(0.1 * abs(float(loss[lowest])), 0.001):
            return None
        if rise < BEYOND_JITTER * jitter(loss):
            return None
        since = self.epochs[int(keep[min(lowest + 1, loss.size - 1)])]
        return RunFinding(
            "diverging",
            since,
            f"Training loss rises since epoch {since}: from {loss[lowest]:.3g} to {loss[-1]:.3g}.",
            "Lower the learning rate.",
        )

    def curves(self) -> Curves:
        """The test curve where it is defined, and the training curve there; up is better.

        Soft F over the cohort, else the published F, else the loss.
        """
        for metric, sign in (("fscore_soft", 1), ("fscore", 1), ("loss", -1)):
            keep, test = _finite(sign * self._column(f"test_{metric}"))
            if test.size >= ENOUGH_EPOCHS:
                break
        train = (sign * self._column(f"train_{metric}"))[keep]
        return Curves([self.epochs[i] for i in keep], test, train)


def _finite(values: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The places of the finite values, and those values."""
    keep = np.flatnonzero(np.isfinite(values))
    return keep, values[keep]


def _tail(flags: Flags) -> Flags:
    """`flags` with only their unbroken run at the end left."""
    tail: Flags = np.logical_and.accumulate(flags[::-1])[::-1]
    return tail


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.2g} %"
