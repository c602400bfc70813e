"""Gradient steps of the optimizers that a variant can name, as `keras.optimizers` make them.

Each keeps up to two moments per weight, m and v, in the checkpoint. Adam's ε is 1e-8, Keras'
default in 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from keras import ops
from numpy.typing import NDArray

from postertui.study import Optimizer, Variant
from postertui.training import adam
from postertui.training.backend import Tensor

#: RMSprop's decay and ε, as Keras has them.
RHO = 0.9
RMSPROP_EPSILON = 1e-7

#: (weight, m, v, gradient, step size, weight decay, whether to update) to the new weight, m, v.
Step: TypeAlias = Callable[..., tuple[Tensor, Tensor, Tensor]]


def step_sizes(
    optimizer: Optimizer, learning_rate: float, t: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The step size of updates.

    Parameters
    ----------
    learning_rate
        That of the epoch.
    t : (S,)
        The updates' numbers, which count from 1.
    """
    if optimizer in ("adam", "adamw"):
        return adam.step_sizes(learning_rate, t)
    return np.full(len(t), learning_rate)


def make_step(variant: Variant) -> Step:
    """The update of one weight by `variant.optimizer`."""
    match variant.optimizer:
        case "adam":
            return _adam
        case "adamw":
            return _adamw
        case "sgd":
            return _sgd(variant.momentum)
        case "rmsprop":
            return _rmsprop


def _adam(
    weight: Tensor, m: Tensor, v: Tensor, gradient: Tensor, step: Tensor, _: Tensor, update: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    return adam.apply_gradient(weight, m, v, gradient, step, update)


def _adamw(
    weight: Tensor,
    m: Tensor,
    v: Tensor,
    gradient: Tensor,
    step: Tensor,
    decay: Tensor,
    update: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Loshchilov & Hutter 2019: the weight first shrinks by the rate times the weight decay."""
    shrunk = ops.where(update, weight - weight * decay, weight)
    return adam.apply_gradient(shrunk, m, v, gradient, step, update)


def _sgd(momentum: float) -> Step:
    def apply(
        weight: Tensor,
        m: Tensor,
        v: Tensor,
        gradient: Tensor,
        step: Tensor,
        _: Tensor,
        update: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        new_m = ops.where(update, momentum * m - step * gradient, m)
        return ops.where(update, weight + new_m, weight), new_m, v

    return apply


def _rmsprop(
    weight: Tensor, m: Tensor, v: Tensor, gradient: Tensor, step: Tensor, _: Tensor, update: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    new_v = ops.where(update, RHO * v + (1 - RHO) * ops.square(gradient), v)
    stepped = weight - step * gradient * ops.rsqrt(new_v + RMSPROP_EPSILON)
    return ops.where(update, stepped, weight), m, new_v
