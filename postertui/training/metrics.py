"""The history table's metric columns from the sums of a pass's batches. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from postertui.study import Mode
from postertui.training.objective import EPSILON, SUMS

Vector = NDArray[np.float64]

#: Column name to value; None where it is undefined.
Metrics = dict[str, float | int | bool | None]


def cohort_metrics(
    prefix: str,
    table: NDArray[np.floating],
    sizes: NDArray[np.int64],
    positives: NDArray[np.int64],
    weights: Vector,
    *,
    loss: str,
    mode: Mode,
) -> Metrics:
    """One cohort's columns (`train_loss` …), from the sums of its batches.

    The published columns average over batches, weighted by their sizes: over all of them in mode
    `published`, where one without a positive makes the mean NaN; over those that have positives
    in mode `sound`. A batch with a NaN prediction has no correct decision.

    Parameters
    ----------
    prefix
        The cohort's name: `train`, `val` or `test`.
    table : (S, len(SUMS))
        Sums of each batch.
    sizes, positives, weights : (S,)
        Rows, positives and mean class weight of each batch; weights are 1 without training.
    """
    columns = dict(zip(SUMS, np.asarray(table, np.float64).T, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        fscore = 2 * columns["soft_tp"] / (columns["soft_yes"] + positives + 2 * EPSILON)
        if loss == "fscore":
            losses = (1 - fscore) * weights + columns["penalty"]
        else:
            losses = columns["cross_entropy"] / sizes + columns["penalty"]
    correct = columns["hard_tp"] + columns["hard_no"] - (positives - columns["hard_tp"])
    correct = np.where(np.isnan(columns["soft_yes"]), 0, correct)
    undefined = columns["soft_tp"] == 0 if mode == "published" else positives == 0
    fscore = np.where(undefined, np.nan, fscore)
    if loss == "fscore":
        losses = np.where(undefined, np.nan, losses)
    counted = positives > 0 if mode == "sound" else np.ones(len(sizes), bool)
    metrics: Metrics = {
        f"{prefix}_loss": weighted_mean(losses, sizes, counted if loss == "fscore" else sizes > 0),
        f"{prefix}_accuracy": float(correct.sum() / sizes.sum()),
        f"{prefix}_fscore": weighted_mean(fscore, sizes, counted),
    }
    metrics |= pooled_metrics(prefix, columns, int(positives.sum()), int(sizes.sum()))
    return metrics


def weighted_mean(values: Vector, sizes: NDArray[np.int64], counted: NDArray[np.bool_]) -> float:
    """Mean of the `counted` batches' values, weighted by size; NaN without any."""
    if not counted.any():
        return float("nan")
    return float(np.average(values[counted], weights=sizes[counted]))


def pooled_metrics(prefix: str, columns: dict[str, Vector], positives: int, size: int) -> Metrics:
    """Soft F, hard F at .5 and the confusion counts over the whole cohort; None where undefined."""
    names = ("fscore_soft", "fscore_hard", "tp", "fp", "fn", "tn")
    tp, yes, no = (columns[c].sum() for c in ("hard_tp", "hard_yes", "hard_no"))
    if yes + no < size:  # some predictions are NaN: neither yes nor no
        return {f"{prefix}_{name}": None for name in names}
    soft = 2 * columns["soft_tp"].sum() / (columns["soft_yes"].sum() + positives + 2 * EPSILON)
    hard = 2 * tp / (yes + positives) if positives else None
    fn = positives - tp
    values = (
        float(soft) if positives else None,
        None if hard is None else float(hard),
        *(int(n) for n in (tp, yes - tp, fn, no - fn)),
    )
    return {f"{prefix}_{name}": value for name, value in zip(names, values, strict=True)}
