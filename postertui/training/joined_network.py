"""Posters and details in one network: a branch each, joined before FC1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from postertui.training import initializers
from postertui.training.backend import Tensor
from postertui.training.input_encoding import JoinedShape

#: The weights of the head: kernels and biases of FC1, FC2 and the output.
HEAD_WEIGHTS = 6


def join_details(
    x: Tensor,
    joined: JoinedShape,
    branch: keras.layers.Layer,
    tail: Callable[[Tensor], tuple[Tensor, list[Any]]],
    dtype: str,
) -> tuple[Tensor, list[Any]]:
    """The backbone's pooled features, standardised and divided by √width, beside the details.

    Features at full size would let many noisy inputs be learnt by heart.

    Parameters
    ----------
    x : (n, width)
        Rows of a poster's inputs, flat, and its encoded details.
    joined
        What the rows consist of.
    branch
        The details' own dense layer, called `details`, whose weights come last of the initial ones.
    tail
        Gives the pooled features and their initial weights.
    """
    details_weights = [initializers.he_normal, initializers.zeros]
    if joined.poster is None:
        return branch(x), details_weights
    assert joined.features is not None
    split = math.prod(joined.poster)
    h, initial_weights = tail(layers.Reshape(joined.poster, dtype=dtype)(x[:, :split]))
    mean, variance = np.array(joined.features.mean), np.array(joined.features.variance)
    h = layers.Normalization(mean=mean, variance=variance, dtype=dtype)(h)
    h = layers.Rescaling(1 / math.sqrt(len(mean)), dtype=dtype)(h)
    both = layers.Concatenate(dtype=dtype)([h, branch(x[:, split:])])
    return both, initial_weights + details_weights


def in_model_order(model: keras.Model, initial_weights: list[Any]) -> list[Any]:
    """The backbone's, the details' and the head's initial weights as the model has its own.

    Keras orders layers by their distance from the outputs.
    """
    count = len(initial_weights) - 2 - HEAD_WEIGHTS
    others = iter(initial_weights[:count] + initial_weights[count + 2 :])
    details = iter(initial_weights[count : count + 2])
    return [
        next(details if variable.path.startswith("details/") else others)
        for variable in model.trainable_variables
    ]
