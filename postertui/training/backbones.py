"""Networks of `keras.applications` as backbones: registry, descriptions, weights.

    python -m postertui.training.backbones NAME:SIDE…
    python -m postertui.training.backbones --weights FILE NAME:SIDE

print a list of `postertui.data.backbones.BackboneAnswer`. VGG16 has a module of its own, `vgg16`:
2017's layer numbers, its plain 0..1 preprocessing and its fast layers for the CPU.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import msgspec
import numpy as np
from keras import layers
from keras.src.backend.common import global_state
from keras.src.utils import file_utils  # Where Keras' own networks look for their weights.

from postertui.data.backbones import Backbone, BackboneAnswer
from postertui.data.weights import Weights, check_unchanged, file_digest
from postertui.system.errors import UserError
from postertui.training.backend import Tensor
from postertui.training.vgg16 import RANDOM_GAIN

#: The parameters by which a classification network that takes images is known.
_PARAMETERS = {"weights", "include_top", "input_shape"}

_MIN_SIDE = re.compile(r"at least (\d+)x")


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


def describe(name: str, side: int) -> Backbone:
    """The network's least side, layers, and its ImageNet weights for images of `side` pixels.

    Raises `UserError`.
    """
    function = find(name)
    files: list[tuple[str, str, str]] = []

    def record_file(fname: str, origin: str, *_: Any, **options: Any) -> str:
        files.append((fname, origin, options.get("file_hash") or options.get("md5_hash") or ""))
        return fname

    min_side = least_side(name)
    with (
        mock.patch.object(file_utils, "get_file", record_file),
        mock.patch.object(keras.Model, "load_weights"),
        _without_initial_values(),
    ):
        network = _construct(name, max(side, min_side), imagenet=True)
    file, url, file_hash = files[-1] if files else ("", "", "")
    return Backbone(
        name=name,
        title=function.__name__,
        side=side,
        min_side=min_side,
        layers=tuple(layer.name for layer in network.layers),
        weights_file=file,
        weights_url=url,
        weights_hash=file_hash,
    )


def _without_initial_values() -> keras.StatelessScope:
    """Variables made in this context are not drawn, which is most of the time of a build."""
    return keras.StatelessScope(initialize_variables=False)


def least_side(name: str) -> int:
    """The least side of the network's images in pixels.

    Keras checks the side before it builds, and its message has the least one.
    """
    try:
        with _without_initial_values():
            find(name)(weights=None, include_top=False, input_shape=(1, 1, 3))
    except ValueError as error:
        if match := _MIN_SIDE.search(str(error)):
            return int(match[1])
    return 1


def _construct(name: str, side: int, *, imagenet: bool) -> keras.Model:
    """Keras' network without its top; with `imagenet`, as it is built for ImageNet's weights.

    EfficientNet has a layer more then. Keras loads the weights that `file_utils.get_file` gives.
    """
    # Keras takes NASNet's weights at ImageNet's own side alone, though no layer depends on it.
    shape = None if imagenet and name.startswith("nasnet") else (side, side, 3)
    # Layers without a name of their own are numbered from 1, whatever was built before.
    tracker = global_state.GLOBAL_STATE_TRACKER
    with mock.patch.object(tracker, "object_name_uids", defaultdict(int), create=True):
        return find(name)(
            weights="imagenet" if imagenet else None, include_top=False, input_shape=shape
        )


def build(name: str, side: int, weights: Weights) -> keras.Model:
    """The network without its top, for images of `side` pixels, with weights.

    Raises `UserError` where they are not its own, or not those they were.
    """
    if weights.kind == "random":
        network = _construct(name, side, imagenet=False)
        draw_random_weights(network)
        return network
    assert weights.path is not None
    check_unchanged(weights)
    try:
        if weights.kind == "imagenet" and not name.startswith("nasnet"):
            path = weights.path
            with mock.patch.object(file_utils, "get_file", lambda *_, **__: path):
                return _construct(name, side, imagenet=True)
        network = _construct(name, side, imagenet=False)
        network.load_weights(weights.path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"{weights.path}: not weights of {name} without its top: {reason}"
        ) from None
    return network


@lru_cache(maxsize=64)
def skeleton(name: str, side: int, *, imagenet: bool) -> keras.Model:
    """The network without the values of its weights."""
    with (
        mock.patch.object(file_utils, "get_file", lambda fname, *_, **__: fname),
        mock.patch.object(keras.Model, "load_weights"),
        _without_initial_values(),
    ):
        return _construct(name, side, imagenet=imagenet and not name.startswith("nasnet"))


def draw_random_weights(network: keras.Model) -> None:
    """Set fixed random kernels without a mean; other weights keep their initial values."""
    rng = np.random.default_rng([int.from_bytes(b"backbone") % 2**32, 2017])
    by_channel = {
        id(variable)
        for layer in network.layers
        for variable in layer.weights
        if isinstance(layer, layers.DepthwiseConv2D) or "depthwise" in variable.name
    }
    for variable in network.weights:
        shape = tuple(variable.shape)
        if len(shape) < 2 or not variable.path.endswith(("kernel", "gamma_kernel")):
            continue
        kernel = rng.standard_normal(shape, dtype=np.float32)
        axes = tuple(range(len(shape) - 1))
        fan_in = math.prod(shape[:-1])
        if id(variable) in by_channel:  # (height, width, channels, 1): one filter per channel
            axes, fan_in = (0, 1), math.prod(shape[:2])
        kernel -= kernel.mean(axis=axes, keepdims=True)
        variable.assign(kernel * np.float32(math.sqrt(2 / max(fan_in, 1)) * RANDOM_GAIN))


def _answer(name: str, side: str, weights: Path | None) -> BackboneAnswer:
    """A description, or whether the file `weights` is of the network."""
    try:
        if weights is None:
            return BackboneAnswer(backbone=describe(name, int(side)))
        least = least_side(name)
        build(name, max(int(side), least), Weights("file", file_digest(weights), str(weights)))
    except UserError as error:
        return BackboneAnswer(error=str(error))
    return BackboneAnswer()


def main() -> None:
    """Describe the networks on the command line, or say whether weights are of one."""
    _, *names = sys.argv
    weights = Path(names[1]) if names[0] == "--weights" else None
    networks = [n.partition(":") for n in (names[2:] if weights else names)]
    answers = [_answer(name, side, weights) for name, _, side in networks]
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(answers) + b"\n")


if __name__ == "__main__":
    main()
