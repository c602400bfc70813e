"""Where a backbone is cut, and its two parts: frozen layers to cache, and those that train."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from postertui.data.weights import Weights
from postertui.study import ALL_LAYERS, Variant
from postertui.system.errors import UserError
from postertui.training import backbones, vgg16
from postertui.training.backend import Tensor


def first_trained_layer(variant: Variant, names: tuple[str, ...]) -> int:
    """The number of the first layer that trains; `len(names)` where all are frozen.

    Raises `UserError` for a layer that the network does not have.
    """
    if variant.train_from:
        if variant.train_from not in names:
            close = difflib.get_close_matches(variant.train_from, names, n=3, cutoff=0.5)
            hint = f"; close: {', '.join(close)}" if close else ""
            raise UserError(
                f"{variant.name}: {variant.backbone_name} has no layer {variant.train_from}{hint}"
            )
        return names.index(variant.train_from)
    return max(len(names) - variant.trainable_layers, 1)


def first_uncached_layer(variant: Variant, side: int, weights: Weights) -> int:
    """The number of the first layer that the variant's cached inputs have not passed through.

    1 where they are the images themselves.
    """
    network = variant.backbone_name
    if network == "scratch":
        return 1
    if network == "vgg16":
        if variant.train_from or variant.trainable_layers:
            return vgg16.first_uncached_layer(first_trained_layer(variant, vgg16.LAYERS))
        return vgg16.first_uncached_layer(variant.frozen_layers)
    described = backbones.skeleton(network, side, imagenet=weights.kind == "imagenet")
    return cut_before(described, first_trained_layer(variant, layer_names(described)))


def last_layer(name: str, side: int, weights: Weights) -> int:
    """The number of layers before the pooled features, as `first_uncached_layer` counts."""
    if name == "vgg16":
        return ALL_LAYERS
    return len(backbones.skeleton(name, side, imagenet=weights.kind == "imagenet").layers)


def layer_names(network: keras.Model) -> tuple[str, ...]:
    """The names of the network's layers from the input on."""
    return tuple(layer.name for layer in network.layers)


def output_shape(name: str, side: int, first: int, weights: Weights) -> tuple[int, ...]:
    """The shape of one image's output of layer `first` - 1, pooled where it is the last."""
    network = backbones.skeleton(name, side, imagenet=weights.kind == "imagenet")
    shape = tuple(network.layers[first - 1].output.shape[1:])
    return shape[-1:] if first == len(network.layers) else shape


def cut_before(network: keras.Model, first_trained: int) -> int:
    """The largest b ≤ `first_trained` such that layers from b on need only layer b - 1's output."""
    if first_trained >= len(network.layers):
        return len(network.layers)
    number = {id(layer): i for i, layer in enumerate(network.layers)}

    def layers_behind(tensors: Any) -> set[int]:
        """The layers whose outputs reach `tensors` directly or by operations that are no layers."""
        numbers: set[int] = set()
        for tensor in keras.tree.flatten(tensors):
            operation = tensor._keras_history.operation
            if id(operation) in number:
                numbers.add(number[id(operation)])
            else:
                numbers |= layers_behind(operation.input)
        return numbers

    producers = [layers_behind(layer.input) - {i} for i, layer in enumerate(network.layers)]
    for b in range(first_trained, 1, -1):
        outside = {p for later in producers[b:] for p in later if p < b}
        if outside == {b - 1}:
            return b
    return 1


def frozen_network(name: str, side: int, first: int, weights: Weights) -> keras.Model:
    """Layers 0 to `first` - 1 on preprocessed images; all of them end in an average pooling."""
    network = backbones.build(name, side, weights)
    output = network.layers[first - 1].output
    if first == len(network.layers):
        output = layers.GlobalAveragePooling2D()(network.output)
    return keras.Model(network.input, output)


def frozen_part(name: str, side: int, first: int, weights: Weights) -> Callable[[Tensor], Tensor]:
    """`frozen_network` on images in 0..1, in inference mode."""
    network = frozen_network(name, side, first, weights)
    return lambda x: network(backbones.preprocess(name, x), training=False)


class Tail(layers.Layer):  # type: ignore[misc]
    """Layers of a backbone from number `first` on, and the global average pooling.

    Batch normalisation and dropout stay in inference mode, also where they train.
    """

    def __init__(self, network: keras.Model, name: str, first: int, first_trained: int) -> None:
        super().__init__(name=f"{name}_tail")
        for number, layer in enumerate(network.layers):
            layer.trainable = number >= first_trained
        self._backbone = name
        self._from_images = first == 1
        start = network.input if first == 1 else network.layers[first - 1].output
        self.network = keras.Model(start, network.output)
        self.pool = layers.GlobalAveragePooling2D()

    def call(self, x: Tensor) -> Tensor:
        if self._from_images:
            x = backbones.preprocess(self._backbone, x)
        return self.pool(self.network(x, training=False))


def load_tail(variant: Variant, side: int, first: int, weights: Weights) -> Tail:
    """The variant's backbone from layer `first` on, with its pretrained weights."""
    network = backbones.build(variant.backbone_name, side, weights)
    first_trained = first_trained_layer(variant, layer_names(network))
    return Tail(network, variant.backbone_name, first, first_trained)
