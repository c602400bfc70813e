"""Adam as Keras applies it, written out: Kingma & Ba 2015, the form before their section 2.1.

    m ← β₁m + (1-β₁)g      v ← β₂v + (1-β₂)g²      w ← w - alpha_t · m / (√v + ε)
    alpha_t = alpha · √(1-β₂ᵗ) / (1-β₁ᵗ)

ε is 1e-8, Keras' default in 2017; today's is 1e-7.
"""

from __future__ import annotations

import numpy as np
from keras import ops
from numpy.typing import NDArray

from postertui.training.backend import Tensor, materialize, on_accelerator

BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-8


def step_sizes(learning_rate: float, t: NDArray[np.int64]) -> NDArray[np.float64]:
    """alpha_t for Adam's updates number `t`, which counts from 1."""
    return np.asarray(learning_rate * np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t))


def apply_gradient(
    weight: Tensor, m: Tensor, v: Tensor, gradient: Tensor, step_size: Tensor, update: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The new (weight, m, v) of one tensor; the old ones where `update` is false.

    Parameters
    ----------
    weight, m, v, gradient
        The tensor, its two moments and its gradient, all of one shape.
    step_size : ()
        alpha_t of `step_sizes`.
    update : ()
        Whether anything is changed.
    """
    new_m = ops.where(update, BETA_1 * m + (1 - BETA_1) * gradient, m)
    new_v = ops.where(update, BETA_2 * v + (1 - BETA_2) * ops.square(gradient), v)
    if not on_accelerator():
        # Otherwise a CPU recomputes both for the weight, and must keep copies of the old ones.
        new_m, new_v = materialize(new_m, new_v)
    stepped = weight - step_size * new_m / (ops.sqrt(new_v) + EPSILON)
    return ops.where(update, stepped, weight), new_m, new_v
