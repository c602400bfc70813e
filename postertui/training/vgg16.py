"""VGG16 without its top: layer numbers, the frozen part as a model, weights.

Simonyan & Zisserman 2014. Layers count 0 (the input) to 18 (the last pool), as Keras counts them.
"""

from __future__ import annotations

import math
from pathlib import Path

import keras
import numpy as np

from postertui.data.weights import (
    CONVOLUTIONS,
    RANDOM_VERSION,
    Convolutions,
    Weights,
    read_convolutions,
)
from postertui.study import ALL_LAYERS
from postertui.training.initializers import Array

#: The gain of fixed random kernels: compensates the variance lost with their mean.
RANDOM_GAIN = 1.2

#: The names of layers 0 to 18.
LAYERS = (
    "input",
    *(
        name
        for block, convs in enumerate((2, 2, 3, 3, 3), 1)
        for name in (*(f"block{block}_conv{i + 1}" for i in range(convs)), f"block{block}_pool")
    ),
)


def first_uncached_layer(frozen_layers: int) -> int:
    """The first layer whose outputs are not cached, given how many layers are frozen.

    Pools have no weights, so those that follow the last frozen layer are cached too.
    """
    first = max(frozen_layers, 1)
    while first < ALL_LAYERS and LAYERS[first].endswith("pool"):
        first += 1
    return first


def frozen_network(side: int, first: int, convolutions: Convolutions) -> keras.Model:
    """Layers 0 to `first` - 1, from (n, side, side, 3) in 0..1 to the last one's output.

    All of VGG16 ends in a global average pooling: (n, 512).
    """
    network = keras.applications.VGG16(weights=None, include_top=False, input_shape=(side, side, 3))
    output = network.layers[first - 1].output
    if first == ALL_LAYERS:
        output = keras.layers.GlobalAveragePooling2D()(output)
    part = keras.Model(network.input, output)
    for layer in part.layers:
        if layer.name in convolutions:
            layer.set_weights(list(convolutions[layer.name]))
    return part


def load_convolutions(weights: Weights) -> Convolutions:
    """Read or draw the convolutions that `weights` names."""
    if weights.kind == "random":
        return random_convolutions()
    assert weights.path is not None
    return read_convolutions(Path(weights.path))


def random_convolutions() -> Convolutions:
    """Fixed random kernels through whose 13 layers different posters keep different features.

    He's variance keeps the scale of activations, but after a relu their mean is positive, and
    layer by layer all posters become alike. Kernels that sum to zero per filter remove that mean.
    """
    rng = np.random.default_rng([int.from_bytes(RANDOM_VERSION.encode()) % 2**32, 2017])
    convolutions = {}
    channels = 3
    for name, filters in CONVOLUTIONS:
        kernel: Array = rng.standard_normal((3, 3, channels, filters), dtype=np.float32)
        kernel -= kernel.mean(axis=(0, 1, 2))
        kernel *= np.float32(math.sqrt(2 / (9 * channels)) * RANDOM_GAIN)
        convolutions[name] = kernel, np.zeros(filters, np.float32)
        channels = filters
    return convolutions
