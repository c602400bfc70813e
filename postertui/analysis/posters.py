"""The error of a comparison that other posters would make: a paired bootstrap over posters.

Training again says how much of a difference is luck of the training; whether other posters would
say the same is another question, and its error is often as large. The posters of the test cohort
are resampled, the same for all models and genres, and every score is computed anew (B. Efron and
R. Tibshirani, "An Introduction to the Bootstrap", 1993). A poster is drawn Poisson(1) times, which
for hundreds of posters is drawing with replacement, and needs no more than a matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui.analysis.baselines import fscore_error
from postertui.analysis.statistics import Floats

Float32s = NDArray[np.float32]

RESAMPLES = 2000
_CHUNK = 250

#: Metrics that are a ratio of two sums over posters.
METRICS_OF_POSTERS = ("test_fscore_soft", "test_fscore_hard", "test_accuracy", "test_brier")


@dataclass(frozen=True)
class ModelPredictions:
    """One run's probabilities: `ids` of its test posters, their `labels`, both of shape (n,)."""

    name: str
    genre: str
    seed: int
    ids: NDArray[np.int64]
    labels: NDArray[np.uint8]
    probabilities: Float32s
    threshold: float = 0.5


@dataclass(frozen=True)
class PosterErrors:
    """Resampled scores of settings.

    Attributes
    ----------
    scores
        (name, genre) to the setting's mean score over its runs in each resample, (resamples,).
    posters
        How many posters were resampled; 0 where the errors follow from counts instead.
    variances
        (name, genre) to the variance of the score, where only counts are known. Two models'
        errors then count as independent, which makes a difference's error too large.
    """

    scores: Mapping[tuple[str, str], Floats]
    posters: int
    variances: Mapping[tuple[str, str], float]

    def cell(self, name: str, reference: str, genre: str) -> float:
        """The standard error of the difference between two settings; NaN where unknown."""
        return self.row(name, reference, [genre])

    def row(self, name: str, reference: str, genres: Sequence[str]) -> float:
        """The standard error of the mean difference over genres; NaN where unknown."""
        keys = [((name, g), (reference, g)) for g in genres]
        if not keys:
            return math.nan
        if all(a in self.scores and b in self.scores for a, b in keys):
            differences = sum(self.scores[a] - self.scores[b] for a, b in keys)
            return float(np.std(np.asarray(differences) / len(keys), ddof=1))
        if all(a in self.variances and b in self.variances for a, b in keys):
            total = sum(self.variances[a] + self.variances[b] for a, b in keys)
            return math.sqrt(total) / len(keys)
        return math.nan


def resample_posters(
    models: Sequence[ModelPredictions],
    metric: str = "test_fscore_soft",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PosterErrors:
    """Resample the posters, and score every model on each sample.

    A model is scored on those that it has predictions of; a poster's copies are drawn with it.

    Raises
    ------
    ValueError
        For a metric that is no ratio of sums (see `METRICS_OF_POSTERS`).
    """
    if not models:
        return PosterErrors({}, 0, {})
    distinct: list[NDArray[np.int64]] = []
    for model in models:
        if not any(model.ids is own or np.array_equal(model.ids, own) for own in distinct):
            distinct.append(model.ids)
    ids = np.unique(np.concatenate(distinct))
    tops = np.empty((ids.size, len(models)), dtype=np.float32)
    bottoms = np.empty_like(tops)
    for k, model in enumerate(models):
        terms = _terms(metric, model)
        if np.array_equal(model.ids, ids):
            tops[:, k], bottoms[:, k] = terms
            continue
        places = np.searchsorted(ids, model.ids)
        tops[:, k], bottoms[:, k] = (np.bincount(places, t, minlength=ids.size) for t in terms)
    drawn = _resampled_ratios(tops, bottoms, resamples, np.random.default_rng(seed))
    settings: dict[tuple[str, str], list[int]] = {}
    for k, model in enumerate(models):
        settings.setdefault((model.name, model.genre), []).append(k)
    scores = {key: drawn[:, columns].mean(axis=1) for key, columns in settings.items()}
    return PosterErrors(scores, ids.size, {})


def _terms(metric: str, model: ModelPredictions) -> tuple[Float32s, Float32s]:
    """Each poster's part of the two sums whose ratio is the metric."""
    p, y = model.probabilities, model.labels.astype(np.float32)
    yes = (p >= model.threshold).astype(np.float32)
    match metric:
        case "test_fscore_soft":
            return 2 * p * y, p + y
        case "test_fscore_hard":
            return 2 * yes * y, yes + y
        case "test_accuracy":
            return (yes == y).astype(np.float32), np.ones_like(y)
        case "test_brier":
            return (p - y) ** 2, np.ones_like(y)
    raise ValueError(f"{metric} is no ratio of sums over posters")


def _resampled_ratios(
    tops: Float32s, bottoms: Float32s, resamples: int, rng: np.random.Generator
) -> Floats:
    """Ratios of weighted sums, (resamples, models), for Poisson(1) weights of the posters."""
    both = np.hstack([tops, bottoms])
    quantiles = _poisson_by_quantile()
    ratios = np.empty((resamples, tops.shape[1]))
    for start in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - start)
        draws = np.frombuffer(rng.bytes(2 * count * len(tops)), dtype=np.uint16)
        sums = quantiles[draws].reshape(count, len(tops)) @ both
        top, bottom = sums[:, : tops.shape[1]], sums[:, tops.shape[1] :]
        ratios[start : start + count] = np.divide(
            top, bottom, out=np.zeros_like(top), where=bottom > 0
        )
    return ratios


def _poisson_by_quantile() -> Float32s:
    """Poisson(1) counts for 16 random bits: a table, since drawing them one by one is slow."""
    counts = np.arange(12)
    cumulative = np.cumsum(np.exp(-1.0) / np.array([math.factorial(k) for k in counts]))
    quantile = (np.arange(2**16) + 0.5) / 2**16
    return np.searchsorted(cumulative, quantile).astype(np.float32)


def errors_from_counts(table: pl.DataFrame, values: pl.DataFrame) -> PosterErrors:
    """The posters' errors of F-scores from confusion counts, for tables without predictions.

    By the delta method (`baselines.fscore_error`), from each setting's mean counts.
    """
    cells = ("test_tp", "test_fp", "test_fn")
    if not set(cells) <= set(table.columns):
        return PosterErrors({}, 0, {})
    ok = values.filter(pl.col("state") == "ok")
    rows = ok.join(table.select("run", "epoch", *cells), on=["run", "epoch"], how="left")
    means = rows.group_by("name", "genre").agg(pl.mean("value", *cells)).drop_nulls()
    variances = {
        (name, genre): fscore_error(value, tp, fp + fn) ** 2
        for name, genre, value, tp, fp, fn in means.iter_rows()
    }
    return PosterErrors({}, 0, {k: v for k, v in variances.items() if not math.isnan(v)})


@dataclass(frozen=True)
class McNemar:
    """Two models' decisions on the same posters: how often only one of them is right.

    `p` is exact and two-sided (Q. McNemar, Psychometrika 12, 1947, as a binomial test).
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(a: ModelPredictions, b: ModelPredictions) -> McNemar:
    """McNemar's test of two models of one genre, on the posters that both have."""
    from scipy.special import bdtr

    _, in_a, in_b = np.intersect1d(a.ids, b.ids, return_indices=True)
    right_a = (a.probabilities >= a.threshold)[in_a] == a.labels[in_a].astype(bool)
    right_b = (b.probabilities >= b.threshold)[in_b] == b.labels[in_b].astype(bool)
    first, second = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    total = first + second
    p = 1.0 if total == 0 else min(1.0, 2 * float(bdtr(min(first, second), total, 0.5)))
    return McNemar(first, second, p)
