"""The three kinds of network: a head on cached features, VGG16's last layers and a head, scratch.

Every model ends in two or more outputs: p (B, 1), then the activities that are penalised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from postertui.data.weights import CONVOLUTIONS, Convolutions
from postertui.study import ALL_LAYERS, Variant
from postertui.training import initializers
from postertui.training.backend import Tensor, on_accelerator
from postertui.training.initializers import Array
from postertui.training.layers import Dense, PatchConvPool2D, ReshapePool2D, TapConv2D
from postertui.training.vgg16 import LAYERS

#: How one weight begins: drawn from the run's generator, or VGG16's (layer, 0 kernel or 1 bias).
Start = Callable[[np.random.Generator, tuple[int, ...]], Array] | tuple[str, int]


class Network(NamedTuple):
    """A Keras model and how each of its trainable weights begins."""

    model: keras.Model
    starts: tuple[Start, ...]

    def initial(self, seed: int, convolutions: Convolutions) -> list[Array]:
        """The weights before the first epoch. Each depends on the seed alone."""
        rng = initializers.weights_rng(seed)
        weights = []
        for variable, start in zip(self.model.trainable_variables, self.starts, strict=True):
            shape = tuple(variable.shape)
            if isinstance(start, tuple):
                layer, part = start
                weights.append(convolutions[layer][part])
            else:
                weights.append(start(rng, shape))
        return weights


def build(variant: Variant, first: int, input_shape: tuple[int, ...], dtype: str) -> Network:
    """The network that trains on inputs of `input_shape`.

    `first` is VGG16's first layer that is not in the inputs already; `scratch` has no use for it.
    """
    x = keras.Input(input_shape, dtype=dtype)
    if variant.network == "scratch":
        outputs, starts = scratch(x, variant, dtype)
    else:
        h, starts = vgg16_tail(x, first, dtype)
        outputs, more = head(h, variant, dtype)
        starts += more
    return Network(keras.Model(x, outputs), tuple(starts))


def head(x: Tensor, variant: Variant, dtype: str) -> tuple[list[Tensor], list[Start]]:
    """Dense(FC1, relu) → Dense(FC2, relu, activity regularizer) → Dense(1, sigmoid)."""
    h1 = dense(variant.fc1, "relu", dtype)(x)
    h2 = dense(variant.fc2, "relu", dtype)(h1)
    p = dense(1, "sigmoid", dtype)(h2)
    he, glorot, zero = initializers.he_normal, initializers.glorot_uniform, initializers.zeros
    return [p, h2], [he, zero, he, zero, glorot, zero]


def scratch(x: Tensor, variant: Variant, dtype: str) -> tuple[list[Tensor], list[Start]]:
    """Conv2D(3x3, relu) → MaxPool 2 → Flatten → Dense(relu) → Dense(1, sigmoid), on images.

    Both dense layers have the activity regularizer and He's initial weights; the convolution has
    Keras' default, Glorot's.
    """
    if on_accelerator():
        x = stock_convolution(variant.fc1, "valid", dtype)(x)
        x = pooling(dtype)(x)
    else:
        x = PatchConvPool2D(variant.fc1, dtype=dtype)(x)
    x = layers.Flatten(dtype=dtype)(x)
    h = dense(variant.fc2, "relu", dtype)(x)
    p = dense(1, "sigmoid", dtype)(h)
    he, glorot, zero = initializers.he_normal, initializers.glorot_uniform, initializers.zeros
    return [p, h, p], [glorot, zero, he, zero, he, zero]


def vgg16_tail(x: Tensor, first: int, dtype: str) -> tuple[Tensor, list[Start]]:
    """VGG16 from layer `first` on, and the global average pooling; nothing if it is all frozen."""
    starts: list[Start] = []
    filters = dict(CONVOLUTIONS)
    for number in range(first, ALL_LAYERS):
        name = LAYERS[number]
        if name.endswith("pool"):
            x = pooling(dtype)(x)
        else:
            before_pool = LAYERS[number + 1].endswith("pool")
            x = convolution(filters[name], before_pool, dtype)(x)
            starts += [(name, 0), (name, 1)]
    if first < ALL_LAYERS:
        x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    return x, starts


def dense(units: int, activation: str, dtype: str) -> keras.layers.Layer:
    """A dense layer; its initial weights are set by whoever trains it."""
    return Dense(units, activation, kernel_initializer="zeros", dtype=dtype)


def convolution(filters: int, before_pool: bool, dtype: str) -> keras.layers.Layer:
    """A 3x3 convolution that keeps the size, relu behind it, as is fast on this device."""
    if on_accelerator():
        return stock_convolution(filters, "same", dtype)
    return TapConv2D(filters, crop=before_pool, dtype=dtype)


def stock_convolution(filters: int, padding: str, dtype: str) -> keras.layers.Layer:
    """Keras' own 3x3 convolution and relu; its initial weights are set by whoever trains it."""
    return layers.Conv2D(
        filters, 3, padding=padding, activation="relu", kernel_initializer="zeros", dtype=dtype
    )


def pooling(dtype: str) -> keras.layers.Layer:
    """2x2 max pooling, in the form that is fast on this device."""
    return layers.MaxPooling2D(2, dtype=dtype) if on_accelerator() else ReshapePool2D(dtype=dtype)
