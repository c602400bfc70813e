"""Several models' probabilities of the same posters as one: average, greedy selection, stacking.

All of them return weights per model; those of greedy selection and stacking are fitted to
validation posters and then applied to any.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postertui.predictions.ranking import rank
from postertui.predictions.scores import average_precision

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

#: Models that greedy selection adds, with replacement.
ROUNDS = 50

#: Probabilities are clipped to this and one minus this before their logit is taken.
CLIP = 1e-6

#: The stack's penalty on its squared coefficients, as scikit-learn's `C = 1`.
RIDGE = 1.0


class Blend(NamedTuple):
    """A rule that makes one probability of several.

    Parameters
    ----------
    weights
        (models,) of the probabilities, which sum to 1; or, with an intercept, of their logits, as
        logistic regression has them.
    intercept
        None where probabilities are averaged.
    """

    weights: Vector
    intercept: float | None = None

    def apply(self, probabilities: ArrayLike) -> Vector:
        """The blended probabilities (n,) of `probabilities` (models, n)."""
        p = np.asarray(probabilities, np.float64)
        if self.intercept is None:
            return np.asarray(self.weights @ p, np.float64)
        return sigmoid(self.weights @ logit(p) + self.intercept)


def average(models: int) -> Blend:
    """Every model with the same weight."""
    return Blend(np.full(models, 1 / models))


def select_greedily(
    labels: ArrayLike,
    probabilities: ArrayLike,
    rounds: int = ROUNDS,
) -> Blend:
    """Forward selection with replacement (Caruana et al. 2004).

    In each round the model is added whose addition makes the average of all added so far have the
    best average precision on these labels; a model may be added again and so gets more weight. Of
    all rounds the one with the best average counts, the first of those that tie.

    Parameters
    ----------
    labels : (n,) 0 and 1.
    probabilities : (models, n).
    """
    p = np.asarray(probabilities, np.float64)
    total = np.zeros(p.shape[1])
    counts = np.zeros(len(p))
    best, best_counts = -math.inf, np.ones(len(p))
    for number in range(1, rounds + 1):
        scores = [score_by_ap(labels, (total + row) / number) for row in p]
        chosen = int(np.argmax(scores))
        counts[chosen] += 1
        total += p[chosen]
        if scores[chosen] > best + 1e-12:
            best, best_counts = scores[chosen], counts.copy()
    return Blend(best_counts / best_counts.sum())


def stack(labels: ArrayLike, probabilities: ArrayLike, ridge: float = RIDGE) -> Blend:
    """Logistic regression on the models' logits (Wolpert 1992), fitted by Newton's method.

    Minimises the summed cross-entropy + ridge/2 · Σw², the intercept unpenalised.

    Parameters
    ----------
    labels
        (n,) 0 and 1.
    probabilities
        (models, n) between 0 and 1.
    ridge
        The penalty's factor; keeps the weights finite where the models separate the labels.

    Returns
    -------
    Blend
        A weight a model, on the scale of logits, and the intercept.
    """
    y = np.asarray(labels, np.float64)
    x = np.vstack([logit(np.asarray(probabilities, np.float64)), np.ones(len(y))]).T
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 0.0
    beta = np.zeros(x.shape[1])
    for _ in range(100):
        p = sigmoid(x @ beta)
        gradient = x.T @ (p - y) + penalty * beta
        curvature = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        beta -= step
        if np.abs(step).max() < 1e-10:
            break
    return Blend(beta[:-1], float(beta[-1]))


def score_by_ap(labels: ArrayLike, probabilities: Vector) -> float:
    """Average precision; 0 where it is undefined, so that nothing is preferred."""
    value = average_precision(rank(labels, probabilities.astype(np.float32)))
    return 0.0 if math.isnan(value) else value


def logit(p: Matrix) -> Matrix:
    """log(p / (1 - p)), p clipped."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float64)


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), np.float64)
