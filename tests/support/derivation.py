"""The objective of 2017, its gradient and Adam, derived by hand in NumPy and float64.

Written from the formulas alone, with none of the package's code, so that it can be compared with
it. With p in [0,1], y in {0,1} and ε = 1e-10:

    TP = Σyp, P = TP/(Σp+ε), R = TP/(Σy+ε), F = 2PR/(P+R)
    ∂F = 2 (R² ∂P + P² ∂R) / (P+R)²,  ∂P/∂p = y/(Σp+ε) - TP/(Σp+ε)²,  ∂R/∂p = y/(Σy+ε)
    loss = (1-F) · w̄ + λ Σ|h|  (or λ Σh²),  h the output of the second dense layer
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
EPSILON = 1e-10


@dataclass
class Head:
    """Dense(relu) → Dense(relu) → Dense(sigmoid) and Adam's state. `weights`: W1 b1 W2 b2 W3 b3."""

    weights: list[Vector]
    t: int = 0
    m: list[Vector] = field(default_factory=list)
    v: list[Vector] = field(default_factory=list)

    def predict(self, x: Vector) -> tuple[Vector, Vector, Vector]:
        """p (n,), h2 (n, FC2) and h1 (n, FC1)."""
        w1, b1, w2, b2, w3, b3 = self.weights
        h1 = np.maximum(x @ w1 + b1, 0)
        h2 = np.maximum(h1 @ w2 + b2, 0)
        return 1 / (1 + np.exp(-(h2 @ w3 + b3)[:, 0])), h2, h1

    def step(
        self,
        x: Vector,
        y: Vector,
        *,
        loss: str,
        regularizer: str,
        strength: float,
        learning_rate: float,
        class_weights: tuple[float, float],
    ) -> None:
        """One update on the batch `x` (n, d), `y` (n,)."""
        p, h2, h1 = self.predict(x)
        positive, negative = class_weights
        if loss == "bce":
            clipped = np.clip(p, 1e-7, 1 - 1e-7)
            inside = (p > 1e-7) & (p < 1 - 1e-7)
            slope = -(positive * y / clipped - negative * (1 - y) / (1 - clipped)) / len(y)
            dp = slope * inside
        else:
            share = y.mean()
            dp = -soft_f_gradient(p, y) * (share * positive + (1 - share) * negative)
        gradients = self._backward(x, h1, h2, p, dp, regularizer, strength)
        self._adam(gradients, learning_rate)

    def _backward(
        self,
        x: Vector,
        h1: Vector,
        h2: Vector,
        p: Vector,
        dp: Vector,
        regularizer: str,
        strength: float,
    ) -> list[Vector]:
        _, _, w2, _, w3, _ = self.weights
        dz3 = (dp * p * (1 - p))[:, None]
        dh2 = dz3 @ w3.T
        if regularizer == "l1":
            dh2 = dh2 + strength * np.sign(h2)
        elif regularizer == "l2":
            dh2 = dh2 + 2 * strength * h2
        dz2 = dh2 * (h2 > 0)
        dz1 = (dz2 @ w2.T) * (h1 > 0)
        pairs = ((x, dz1), (h1, dz2), (h2, dz3))
        return [g for a, dz in pairs for g in (a.T @ dz, dz.sum(axis=0))]

    def _adam(self, gradients: list[Vector], rate: float) -> None:
        """Kingma & Ba 2014, as Keras 2.0.4 has it: β .9 and .999, ε 1e-8 beside √v."""
        if not self.m:
            self.m = [np.zeros_like(w) for w in self.weights]
            self.v = [np.zeros_like(w) for w in self.weights]
        self.t += 1
        step = rate * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        for i, g in enumerate(gradients):
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.v[i] = 0.999 * self.v[i] + 0.001 * g**2
            self.weights[i] = self.weights[i] - step * self.m[i] / (np.sqrt(self.v[i]) + 1e-8)


def soft_f(p: Vector, y: Vector) -> float:
    """The soft F-score of one batch, as the script of 2017 wrote it."""
    tp = (y * p).sum()
    precision, recall = tp / (p.sum() + EPSILON), tp / (y.sum() + EPSILON)
    return float(2 * precision * recall / (precision + recall))


def soft_f_gradient(p: Vector, y: Vector) -> Vector:
    """∂F/∂p."""
    tp, yes = (y * p).sum(), p.sum() + EPSILON
    precision, recall = tp / yes, tp / (y.sum() + EPSILON)
    d_precision = y / yes - tp / yes**2
    d_recall = y / (y.sum() + EPSILON)
    numerator = recall**2 * d_precision + precision**2 * d_recall
    return np.asarray(2 * numerator / (precision + recall) ** 2)
