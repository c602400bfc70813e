"""Networks of `keras.applications` as backbones: registry, weights, where to cut them.

    python -m postertui.training.backbones NAME…

prints a list of `postertui.data.backbones.Answer`. VGG16 has a module of its own, `vgg16`: 2017's
layer numbers, its plain 0..1 preprocessing and its fast layers for the CPU.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from unittest import mock

import keras
import msgspec
import numpy as np
from keras import layers
from keras.src.utils import file_utils  # Where Keras' own networks look for their weights.

from postertui.data.backbones import Answer, Backbone
from postertui.data.weights import Weights
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.training import vgg16
from postertui.training.backend import Tensor

#: The parameters by which a classification network that takes images is known.
_PARAMETERS = {"weights", "include_top", "input_shape"}

_MIN_SIDE = re.compile(r"at least (\d+)x")

#: Compensates the variance lost with the kernels' mean (see `vgg16.random_convolutions`).
RANDOM_GAIN = 1.2


def registry() -> dict[str, Callable[..., keras.Model]]:
    """Keras' networks by their names in lower case."""
    return {
        name.lower(): function
        for name, function in vars(keras.applications).items()
        if inspect.isfunction(function)
        and set(inspect.signature(function).parameters) >= _PARAMETERS
    }


def find(name: str) -> Callable[..., keras.Model]:
    """Keras' function for the network `name`. Raises `UserError` with close names."""
    networks = registry()
    if name in networks:
        return networks[name]
    close = difflib.get_close_matches(name, networks, n=3, cutoff=0.5)
    hint = f"close: {', '.join(close)}" if close else f"there are: {', '.join(sorted(networks))}"
    raise UserError(f"Keras has no such network; {hint}")


def preprocess(name: str, x: Tensor) -> Tensor:
    """Images x (n, side, side, 3) in 0..1 as the network was trained on them."""
    return sys.modules[find(name).__module__].preprocess_input(x * 255)


def describe(name: str) -> Backbone:
    """The network's least side, layers, and ImageNet weights. Raises `UserError`."""
    function = find(name)
    files: list[tuple[str, str, str]] = []

    def record_file(fname: str, origin: str, *_: Any, **options: Any) -> str:
        files.append((fname, origin, options.get("file_hash") or options.get("md5_hash") or ""))
        return fname

    # Some networks have ImageNet weights for ImageNet's own side alone.
    side = _min_side(function)
    shape = None if name.startswith("nasnet") else (max(side, 96), max(side, 96), 3)
    keras.utils.clear_session()  # Layers that Keras numbers are numbered from 1 again.
    with (
        mock.patch.object(file_utils, "get_file", record_file),
        mock.patch.object(keras.Model, "load_weights"),
        _without_initial_values(),
    ):
        network = function(weights="imagenet", include_top=False, input_shape=shape)
    file, url, file_hash = files[-1] if files else ("", "", "")
    return Backbone(
        name=name,
        title=function.__name__,
        min_side=side,
        layers=tuple(layer.name for layer in network.layers),
        weights_file=file,
        weights_url=url,
        weights_hash=file_hash,
    )


def _without_initial_values() -> keras.StatelessScope:
    """Variables made in this context are not drawn, which is most of the time of a build."""
    return keras.StatelessScope(initialize_variables=False)


def _min_side(function: Callable[..., keras.Model]) -> int:
    """Keras checks the side before it builds, and its message has the least one."""
    try:
        with _without_initial_values():
            function(weights=None, include_top=False, input_shape=(1, 1, 3))
    except ValueError as error:
        if match := _MIN_SIDE.search(str(error)):
            return int(match[1])
    return 1


def build(name: str, side: int, weights: Weights | None = None) -> keras.Model:
    """The network without its top, for images of `side` pixels, in inference mode.

    Raises `UserError` where the weights are not its own.
    """
    keras.utils.clear_session()  # Layers that Keras numbers are numbered from 1 again.
    network = find(name)(weights=None, include_top=False, input_shape=(side, side, 3))
    if weights is None:
        return network
    if weights.kind == "random":
        draw_random_weights(network)
        return network
    assert weights.path is not None
    try:
        network.load_weights(weights.path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"{weights.path}: not weights of {name} without its top: {reason}"
        ) from None
    return network


def draw_random_weights(network: keras.Model) -> None:
    """Set fixed random kernels without a mean; other weights keep their initial values."""
    rng = np.random.default_rng([int.from_bytes(b"backbone") % 2**32, 2017])
    for variable in network.weights:
        shape = tuple(variable.shape)
        if len(shape) < 2 or not variable.path.endswith(("kernel", "gamma_kernel")):
            continue
        kernel = rng.standard_normal(shape, dtype=np.float32)
        axes = tuple(range(len(shape) - 1))
        fan_in = math.prod(shape[:-1])
        if "depthwise" in variable.path:  # (height, width, channels, 1): one filter per channel
            axes, fan_in = (0, 1), math.prod(shape[:2])
        kernel -= kernel.mean(axis=axes, keepdims=True)
        variable.assign(kernel * np.float32(math.sqrt(2 / max(fan_in, 1)) * RANDOM_GAIN))


def first_trained_layer(variant: Variant, names: tuple[str, ...]) -> int:
    """The number of the first layer that trains; `len(names)` where all are frozen.

    Raises `UserError` for a layer that the network has not.
    """
    if variant.train_from:
        if variant.train_from not in names:
            close = difflib.get_close_matches(variant.train_from, names, n=3, cutoff=0.5)
            hint = f"; close: {', '.join(close)}" if close else ""
            raise UserError(
                f"{variant.name}: {variant.network} has no layer {variant.train_from}{hint}"
            )
        return names.index(variant.train_from)
    return max(len(names) - variant.trainable_layers, 1)


def first_uncached_layer(variant: Variant, side: int) -> int:
    """The number of the first layer that the variant's cached inputs have not passed through.

    1 where they are the images themselves.
    """
    if variant.network == "scratch":
        return 1
    if variant.network == "vgg16":
        if variant.train_from or variant.trainable_layers:
            return vgg16.first_uncached_layer(first_trained_layer(variant, vgg16.LAYERS))
        return vgg16.first_uncached_layer(variant.frozen_layers)
    names = layer_names(variant.network, side)
    return _cut_before(variant.network, side, first_trained_layer(variant, names))


@lru_cache(maxsize=64)
def layer_names(name: str, side: int) -> tuple[str, ...]:
    """The names of the network's layers from the input on."""
    return tuple(layer.name for layer in build(name, side).layers)


@lru_cache(maxsize=64)
def output_shape(name: str, side: int, first: int) -> tuple[int, ...]:
    """The shape of one image's output of layer `first` - 1, pooled where it is the last."""
    network = build(name, side)
    shape = tuple(network.layers[first - 1].output.shape[1:])
    return shape[-1:] if first == len(network.layers) else shape


@lru_cache(maxsize=64)
def _cut_before(name: str, side: int, first_trained: int) -> int:
    return cut_before(build(name, side), first_trained)


def cut_before(network: keras.Model, first_trained: int) -> int:
    """The largest number b ≤ `first_trained` such that layers b and later take only the output of
    layer b - 1 from those before: there one tensor can be cached."""
    if first_trained >= len(network.layers):
        return len(network.layers)
    number = {layer.name: i for i, layer in enumerate(network.layers)}
    producers = [
        {number[t._keras_history.operation.name] for t in keras.tree.flatten(layer.input)} - {i}
        for i, layer in enumerate(network.layers)
    ]
    for b in range(first_trained, 1, -1):
        outside = {p for later in producers[b:] for p in later if p < b}
        if outside == {b - 1}:
            return b
    return 1


def frozen_part(name: str, side: int, first: int, weights: Weights) -> Callable[[Tensor], Tensor]:
    """Layers 0 to `first` - 1 on images in 0..1; all of them end in a global average pooling."""
    network = build(name, side, weights)
    output = network.layers[first - 1].output
    if first == len(network.layers):
        output = layers.GlobalAveragePooling2D()(network.output)
    part = keras.Model(network.input, output)
    return lambda x: part(preprocess(name, x), training=False)


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
            x = preprocess(self._backbone, x)
        return self.pool(self.network(x, training=False))


def main() -> None:
    """Describe the networks on the command line."""
    answers = []
    for name in sys.argv[1:]:
        try:
            answers.append(Answer(backbone=describe(name)))
        except UserError as error:
            answers.append(Answer(error=str(error)))
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(answers) + b"\n")


if __name__ == "__main__":
    main()
