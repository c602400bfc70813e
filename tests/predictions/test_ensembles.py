"""Blends of probabilities: what they are by definition, and scikit-learn's logistic regression."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from postertui.predictions.ensembles import average, logit, select_greedily, stack


@pytest.fixture
def posters() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels of 800 posters, and three models: one good, one different and fair, one useless."""
    rng = np.random.default_rng(2004)
    y = (rng.random(800) < 0.3).astype(np.int64)
    noise = rng.normal(0, 1, (3, 800))
    skill = np.array([[1.0], [0.7], [0.0]])
    return y, 1 / (1 + np.exp(-(skill * (2 * y - 1) + noise - 0.5)))


def test_an_average_is_the_mean(posters: tuple[NDArray[np.int64], NDArray[np.float64]]) -> None:
    _, p = posters
    assert average(3).apply(p) == pytest.approx(p.mean(axis=0))


def test_a_stack_is_scikit_learns_logistic_regression(
    posters: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    y, p = posters
    blend = stack(y, p)
    oracle = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(logit(p).T, y)
    assert blend.weights == pytest.approx(oracle.coef_[0], abs=1e-5)
    assert blend.intercept == pytest.approx(oracle.intercept_[0], abs=1e-5)
    assert blend.apply(p) == pytest.approx(oracle.predict_proba(logit(p).T)[:, 1], abs=1e-5)


def test_a_stack_of_perfect_models_stays_finite() -> None:
    y = np.array([0, 0, 1, 1])
    blend = stack(y, [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    assert np.isfinite(blend.weights).all()
    assert (blend.apply([[0.0, 1.0], [0.0, 1.0]]) > 0.5).tolist() == [False, True]


def test_greedy_selection_beats_its_best_member_and_leaves_the_useless_one(
    posters: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    y, p = posters
    blend = select_greedily(y, p)
    alone = [average_precision_score(y, row) for row in p]
    assert average_precision_score(y, blend.apply(p)) > max(alone)
    assert blend.weights.sum() == pytest.approx(1)
    assert blend.weights[2] < 0.1


def test_greedy_selection_takes_in_each_round_what_helps_most(
    posters: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    """Two rounds, compared with every way to choose them one after the other."""
    y, p = posters
    single = [average_precision_score(y, row) for row in p]
    first = int(np.argmax(single))
    pairs = {j: average_precision_score(y, (p[first] + p[j]) / 2) for j in range(3)}
    second = max(pairs, key=lambda j: pairs[j])
    chosen = [first, second] if pairs[second] > single[first] else [first]
    expected = np.bincount(chosen, minlength=3) / len(chosen)
    assert select_greedily(y, p, rounds=2).weights == pytest.approx(expected)


def test_without_a_positive_all_are_alike() -> None:
    blend = select_greedily([0, 0, 0], np.full((2, 3), 0.4))
    assert blend.weights.sum() == pytest.approx(1)
    for labels in itertools.product([0], repeat=3):
        assert np.isfinite(stack(labels, np.full((2, 3), 0.4)).apply([[0.4], [0.4]])).all()
