"""The error of a comparison that other posters would make: a paired bootstrap over posters.

Training again says how much of a difference is luck of the training; whether other posters would
say the same is another question, and its error is often as large. The posters of the test cohort
are resampled, the same for all models and genres, and every score is computed again (B. Efron and
R. Tibshirani, "An Introduction to the Bootstrap", 1993). A poster is drawn Poisson(1) times, which
for hundreds of posters is drawing with replacement, and needs no more than a matrix product: all
metrics are ratios of sums over posters. A true positive's sum needs the weights of the genre's
positives only, and a sum that all models share is taken once.
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
    """One run's probabilities on its test posters.

    Parameters
    ----------
    ids, labels
        (n,) of the test posters.
    probabilities
        (n,) that a poster has the genre.
    threshold
        From which probability on it is called positive.
    """

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
        For a metric that is not a ratio of sums (see `METRICS_OF_POSTERS`).
    """
    if not models:
        return PosterErrors({}, 0, {})
    distinct: list[NDArray[np.int64]] = []
    for model in models:
        if not any(model.ids is own or np.array_equal(model.ids, own) for own in distinct):
            distinct.append(model.ids)
    ids = np.unique(np.concatenate(distinct))
    tops = np.empty((len(models), ids.size), dtype=np.float32)
    bottoms = np.empty_like(tops)
    for k, model in enumerate(models):
        terms = _terms(metric, model)
        if np.array_equal(model.ids, ids):
            tops[k], bottoms[k] = terms
            continue
        places = np.searchsorted(ids, model.ids)
        tops[k], bottoms[k] = (np.bincount(places, t, minlength=ids.size) for t in terms)
    groups = [
        [k for k, model in enumerate(models) if model.genre == genre]
        for genre in dict.fromkeys(model.genre for model in models)
    ]
    drawn = _resampled_ratios(tops, bottoms, groups, resamples, np.random.default_rng(seed))
    settings: dict[tuple[str, str], list[int]] = {}
    for k, model in enumerate(models):
        settings.setdefault((model.name, model.genre), []).append(k)
    scores = {key: drawn[rows].mean(axis=0) for key, rows in settings.items()}
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
    raise ValueError(f"{metric} is not a ratio of sums over posters")


def _resampled_ratios(
    tops: Float32s,
    bottoms: Float32s,
    groups: Sequence[Sequence[int]],
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Ratios of weighted sums, (models, resamples), for Poisson(1) weights of the posters.

    Parameters
    ----------
    tops, bottoms
        Each poster's part of the two sums, (models, posters).
    groups
        Rows of models whose tops are zero for the same posters: those of one genre.
    """
    shared = bool((bottoms == bottoms[0]).all())
    divisors = bottoms[:1] if shared else bottoms
    blocks = []
    for rows in groups:
        own = tops[rows]
        posters = np.flatnonzero(own.any(axis=0))
        blocks.append((rows, posters, np.ascontiguousarray(own[:, posters])))
    quantiles = _poisson_by_quantile()
    size = tops.shape[1]
    ratios = np.empty((len(tops), resamples))
    for start in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - start)
        draws = np.frombuffer(rng.bytes(2 * count * size), dtype=np.uint16)
        weights = quantiles[draws].reshape(size, count)
        bottom = divisors @ weights
        for rows, posters, own in blocks:
            top = own @ (weights if posters.size == size else weights[posters])
            below = bottom if shared else bottom[rows]
            ratios[rows, start : start + count] = np.divide(
                top, below, out=np.zeros_like(top), where=below > 0
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

    Parameters
    ----------
    table
        A history table with the counts.
    values
        `run_values` of it.

    Notes
    -----
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
