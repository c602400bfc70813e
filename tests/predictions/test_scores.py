"""Scores are scikit-learn's, also where probabilities tie; and defined where it only warns."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.calibration import calibration_curve

from postertui.predictions.ranking import rank
from postertui.predictions.reliability import reliability
from postertui.predictions.scores import (
    best_threshold,
    count_decisions,
    score_cohort,
)

Cohort = tuple[NDArray[np.uint8], NDArray[np.float32]]


@pytest.fixture(autouse=True)
def oracle_may_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics._classification.UndefinedMetricWarning)
        yield


@st.composite
def cohorts(draw: st.DrawFn) -> Cohort:
    """Labels and float32 probabilities; of few levels in half of them, so that many tie."""
    n = draw(st.integers(1, 60))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    levels = (
        st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
        if draw(st.booleans())
        else st.floats(0, 1, width=32)
    )
    p = draw(st.lists(levels, min_size=n, max_size=n))
    return np.array(labels, np.uint8), np.array(p, np.float32)


def close(ours: float, theirs: float) -> None:
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)


@given(cohorts(), st.floats(0, 1))
@settings(deadline=None)
def test_scores_equal_scikit_learns(cohort: Cohort, threshold: float) -> None:
    labels, p = cohort
    scores = score_cohort(labels, p, threshold)
    close(scores.brier, metrics.brier_score_loss(labels, p.astype(np.float64), pos_label=1))
    precision = metrics.precision_score(labels, p > 0.5, zero_division=np.nan)
    close(scores.precision, precision)
    close(scores.recall, metrics.recall_score(labels, p > 0.5, zero_division=np.nan))
    if labels.any():
        close(scores.ap, metrics.average_precision_score(labels, p))
        close(scores.fscore, metrics.f1_score(labels, p > 0.5))
        chosen = p.astype(np.float64) > threshold
        close(scores.fscore_threshold, metrics.f1_score(labels, chosen))
    if labels.any() and not labels.all():
        close(scores.auroc, metrics.roc_auc_score(labels, p))


def test_a_large_cohort_equals_scikit_learns_to_1e9() -> None:
    generator = np.random.default_rng(14)
    labels = (generator.random(20_000) < 0.07).astype(np.uint8)
    p = np.clip(generator.normal(0.3 + 0.1 * labels, 0.1), 0, 1).astype(np.float32)
    scores = score_cohort(labels, p, 0.4)
    close(scores.ap, metrics.average_precision_score(labels, p))
    close(scores.auroc, metrics.roc_auc_score(labels, p))
    close(scores.brier, metrics.brier_score_loss(labels, p.astype(np.float64)))
    close(scores.fscore_threshold, metrics.f1_score(labels, p.astype(np.float64) > 0.4))


@given(cohorts())
@settings(deadline=None)
def test_curves_pass_through_scikit_learns_points(cohort: Cohort) -> None:
    labels, p = cohort
    if not labels.any() or labels.all():
        return
    ranking = rank(labels, p)
    rates, recalls, _ = metrics.roc_curve(labels, p, drop_intermediate=False)
    assert ranking.false_positive_rate == pytest.approx(rates[1:], abs=1e-9)
    assert ranking.recall == pytest.approx(recalls[1:], abs=1e-9)
    precision, recall, thresholds = metrics.precision_recall_curve(labels, p)
    assert ranking.probabilities[::-1] == pytest.approx(thresholds)
    assert ranking.precision[::-1] == pytest.approx(precision[:-1], abs=1e-9)
    assert ranking.recall[::-1] == pytest.approx(recall[:-1], abs=1e-9)


@given(cohorts())
@settings(deadline=None)
def test_no_threshold_has_a_higher_f_than_the_one_chosen(cohort: Cohort) -> None:
    labels, p = cohort
    chosen = best_threshold(rank(labels, p))
    if math.isnan(chosen):
        assert not (labels & (p > 0)).any()
        return
    best = count_decisions(labels, p, chosen).fscore
    for threshold in {0.0, *np.unique(p).astype(float).tolist()}:
        assert count_decisions(labels, p, threshold).fscore <= best + 1e-12


def test_the_chosen_threshold_lies_between_two_probabilities() -> None:
    """So that rounding of a probability computed anew does not turn a decision."""
    labels, p = np.array([1, 1, 0, 0]), np.array([0.9, 0.6, 0.4, 0.1])
    assert best_threshold(rank(labels, p)) == pytest.approx(0.5)


def test_no_positive() -> None:
    scores = score_cohort([0, 0], [0.2, 0.7], 0.5)
    undefined = (scores.ap, scores.auroc, scores.recall, scores.fscore, scores.fscore_threshold)
    assert all(math.isnan(value) for value in undefined)
    assert scores.precision == 0
    assert scores.brier == pytest.approx((0.04 + 0.49) / 2)
    assert math.isnan(best_threshold(rank([0, 0], [0.2, 0.7])))


def test_all_positive() -> None:
    scores = score_cohort([1, 1], [0.2, 0.7], 0.5)
    assert scores.ap == 1
    assert math.isnan(scores.auroc)
    assert (scores.precision, scores.recall) == (1, 0.5)
    assert best_threshold(rank([1, 1], [0.2, 0.7])) < 0.2


def test_all_tied() -> None:
    """A model that says the same of every poster ranks none: AP is the base rate, AUROC .5."""
    scores = score_cohort([1, 0, 0, 0], [0.5] * 4, 0.5)
    assert (scores.ap, scores.auroc) == (0.25, 0.5)
    assert math.isnan(scores.precision)  # .5 is not above .5: nothing is decided positive
    assert scores.fscore == 0


def test_a_dead_model_has_no_scores() -> None:
    assert all(math.isnan(v) for v in score_cohort([1, 0], [math.nan, 0.5], 0.5))
    with pytest.raises(ValueError, match="NaN"):
        rank([1, 0], [math.nan, 0.5])


def test_no_poster() -> None:
    assert all(math.isnan(v) for v in score_cohort([], [], 0.5))


@given(cohorts())
@settings(deadline=None)
def test_reliability_equals_scikit_learns(cohort: Cohort) -> None:
    labels, p = cohort
    if labels.any() and not labels.all():
        observed, predicted = calibration_curve(labels, p.astype(np.float64), n_bins=10)
        points = reliability(labels, p)
        assert points.observed == pytest.approx(observed)
        assert points.predicted == pytest.approx(predicted)
        assert points.posters.sum() == len(labels)
