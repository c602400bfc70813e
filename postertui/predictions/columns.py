"""The history table's columns that follow from posters' probabilities."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from postertui.predictions.ranking import rank
from postertui.predictions.scores import best_threshold, score_cohort
from postertui.runs.epoch_line import SCORES


def score_columns(
    test: tuple[ArrayLike, ArrayLike], validation: tuple[ArrayLike, ArrayLike] | None = None
) -> dict[str, float | None]:
    """`SCORES` of one epoch; None where a score is undefined.

    Parameters
    ----------
    test, validation : labels (n,) and probabilities (n,) of the two cohorts. Without a validation
        cohort there is no threshold but .5, and no score of it.
    """
    scores = dict.fromkeys(SCORES, math.nan)
    if validation is not None:
        scores["threshold"] = choose_threshold(*validation)
        scores |= _named("val", *validation, scores["threshold"])
    scores |= _named("test", *test, scores["threshold"])
    return {name: None if math.isnan(value) else value for name, value in scores.items()}


def choose_threshold(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The threshold with the best F; NaN where there is none, or a probability is NaN."""
    try:
        return best_threshold(rank(labels, probabilities))
    except ValueError:
        return math.nan


def _named(
    cohort: str, labels: ArrayLike, probabilities: ArrayLike, threshold: float
) -> dict[str, float]:
    scores = score_cohort(labels, probabilities, threshold)._asdict()
    return {
        f"{cohort}_{name}": value for name, value in scores.items() if f"{cohort}_{name}" in SCORES
    }
