"""The threshold is chosen on validation and judged on test."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from postertui.predictions.columns import score_columns
from postertui.runs.epoch_line import SCORES
from tests.support.predictions import make_predictions


def test_the_threshold_of_validation_is_held_against_test() -> None:
    predictions = make_predictions(3_000)
    val, test = predictions.of_cohorts([1]), predictions.of_cohorts([2])
    scores = score_columns((test.labels, test.probabilities), (val.labels, val.probabilities))
    assert tuple(scores) == SCORES
    threshold = scores["threshold"]
    assert threshold is not None
    for name, cohort in (("val", val), ("test", test)):
        decided = cohort.probabilities.astype(np.float64) > threshold
        f = metrics.f1_score(cohort.labels, decided)
        assert scores[f"{name}_fscore_threshold"] == pytest.approx(f, abs=1e-9)
        ap = metrics.average_precision_score(cohort.labels, cohort.probabilities)
        assert scores[f"{name}_ap"] == pytest.approx(ap, abs=1e-9)
    # No other threshold does better on validation; on test one may.
    assert scores["val_fscore_threshold"] == max(
        metrics.f1_score(val.labels, val.probabilities >= p) for p in np.unique(val.probabilities)
    )


def test_without_validation_no_threshold_is_chosen() -> None:
    test = make_predictions(60)
    scores = score_columns((test.labels, test.probabilities))
    assert scores["threshold"] is None
    assert scores["test_fscore_threshold"] is None
    assert scores["val_ap"] is None
    assert scores["test_ap"] is not None


def test_a_dead_model_has_none() -> None:
    dead = np.array([1, 0]), np.array([np.nan, np.nan])
    assert set(score_columns(dead, dead).values()) == {None}
