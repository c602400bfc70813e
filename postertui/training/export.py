"""Trained models as one complete Keras model: the subprocess of `postertui export-model`.

The model takes uint8 RGB images (n, height, width, 3) of any size and does all that `data build`
and training do: squeezes them to a square as Pillow does, divides by 255, and goes through the
backbone and the head. It consists of Keras' own layers and operations alone, so that
`keras.models.load_model` needs nothing of this package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.predictions.export import ExportRequest
from postertui.predictions.inference import InferenceMessage, ModelRequest
from postertui.runs.pruning import HOW_TO_RESTORE
from postertui.runs.trained_weights import read_weights
from postertui.study import ALL_LAYERS, Variant
from postertui.system.errors import UserError
from postertui.training.environment import hide_unused_packages
from postertui.training.inference import first_layer, send

if TYPE_CHECKING:
    from postertui.training.backend import Tensor

Arrays = Mapping[str, NDArray[np.float32]]

#: The layers of the head.
HEAD = ("fc1", "fc2", "output")


def build_complete_model(models: Mapping[str, ModelRequest]) -> Any:
    """The Keras model of all `models`, by the name of their output.

    One model has a plain output (n, 1), several have a dictionary of outputs. What they share
    (image sizes, frozen layers) is there once. Raises `UserError` for one that cannot be used.
    """
    import keras

    images = keras.Input((None, None, 3), dtype="uint8", name="images")
    scaled: dict[int, Tensor] = {}
    shared: dict[tuple[object, ...], Tensor] = {}
    outputs: dict[str, Tensor] = {}
    for name, model in models.items():
        variant = model.spec.variant
        if variant.model != "network":
            raise UserError(
                f"{Path(model.folder).name}: a {variant.model} of scikit-learn, no network; "
                "`predict` uses it"
            )
        if variant.inputs != "poster":
            raise UserError(
                f"{Path(model.folder).name}: takes details beside the poster; export-model writes "
                "models of posters alone, `predict --details` uses this one"
            )
        first = first_layer(model)
        if model.side not in scaled:
            scaled[model.side] = scale(images, model.side)
        backbone = (variant.backbone_name, model.spec.weights.digest) if first > 1 else ("", "")
        key = (model.side, first, *backbone)
        if key not in shared:
            shared[key] = frozen_layers(scaled[model.side], model, first)
        trained = read_weights(Path(model.folder), model.spec.digest, model.weights_digest)
        if variant.has_custom_network:
            names = unique_layer_names(name)
            h = shared[key]
            if variant.backbone_name != "scratch":
                h = trained_layers(h, model, first, trained.arrays, names)
            outputs[name] = custom_network(h, model, trained.arrays, name)
        elif variant.network == "scratch":
            outputs[name] = scratch(shared[key], variant, trained.arrays, name)
        else:
            names = unique_layer_names(name)
            h = trained_layers(shared[key], model, first, trained.arrays, names)
            outputs[name] = head(h, variant, trained.arrays, names, name)
    [*single] = outputs.values()
    return keras.Model(images, single[0] if len(single) == 1 else outputs, name="postertui")


def scale(images: Tensor, side: int) -> Tensor:
    """Squeezed to a square of `side` pixels as `data build` does it, in 0..1."""
    from postertui.training.pillow_resize import resize_as_pillow

    return resize_as_pillow(images, side) / 255.0


def frozen_layers(x: Tensor, model: ModelRequest, first: int) -> Tensor:
    """The layers before `first` on scaled images; the images themselves where that is 1."""
    from postertui.training import backbone_parts, backbones
    from postertui.training.vgg16 import frozen_network, load_convolutions

    if first == 1:
        return x
    name, weights = model.spec.variant.backbone_name, model.spec.weights
    if name == "vgg16":
        network = frozen_network(model.side, first, load_convolutions(weights))
    else:
        network = backbone_parts.frozen_network(name, model.side, first, weights)
        x = backbones.preprocess(name, x)
    network.name = f"frozen_{name}_{model.side}_{first}_{weights.digest[:8]}"
    network.trainable = False
    return network(x, training=False)


def trained_layers(
    x: Tensor, model: ModelRequest, first: int, arrays: Arrays, names: Iterator[str]
) -> Tensor:
    """The backbone's layers from `first` on with the run's weights, pooled."""
    variant = model.spec.variant
    if variant.backbone_name == "vgg16":
        return vgg16_tail(x, first, arrays, names)
    if len(x.shape) == 2:
        return x
    from postertui.training.backbone_parts import load_tail

    tail = load_tail(variant, model.side, first, model.spec.weights)
    of_tail = list(arrays.values())[: len(tail.trainable_variables)]
    if not variant.has_custom_network:
        of_tail = [array for path, array in arrays.items() if path.split("/")[0] not in HEAD]
    if [a.shape for a in of_tail] != [tuple(v.shape) for v in tail.trainable_variables]:
        raise UserError(
            f"{model.folder}: its weights are of another network than its spec's; {HOW_TO_RESTORE}"
        )
    for variable, array in zip(tail.trainable_variables, of_tail, strict=True):
        variable.assign(array)
    tail.network.name = next(names)
    tail.pool.name = next(names)
    return tail.call(x)


def vgg16_tail(x: Tensor, first: int, arrays: Arrays, names: Iterator[str]) -> Tensor:
    """VGG16's layers from `first` on, pooled; `x` itself where all were frozen."""
    from keras import layers

    from postertui.training.vgg16 import LAYERS

    for number in range(first, ALL_LAYERS):
        layer = LAYERS[number]
        if layer.endswith("pool"):
            x = layers.MaxPooling2D(2, name=next(names))(x)
        else:
            filters = arrays[f"{layer}/kernel"].shape[-1]
            convolution = layers.Conv2D(
                filters, 3, padding="same", activation="relu", name=next(names)
            )
            x = with_weights(convolution, x, arrays, layer)
    if first < ALL_LAYERS:
        x = layers.GlobalAveragePooling2D(name=next(names))(x)
    return x


def head(x: Tensor, variant: Variant, arrays: Arrays, names: Iterator[str], name: str) -> Tensor:
    """The dense layers on the backbone's output."""
    from keras import layers

    hidden = (("fc1", variant.fc1), ("fc2", variant.fc2))
    for layer, units in hidden:
        x = with_weights(layers.Dense(units, "relu", name=next(names)), x, arrays, layer)
    return with_weights(layers.Dense(1, "sigmoid", name=name), x, arrays, "output")


def custom_network(x: Tensor, model: ModelRequest, arrays: Arrays, name: str) -> Tensor:
    """The network of the user's on the backbone's output.

    Raises `UserError` where it is not of Keras' own layers alone.
    """
    import keras

    from postertui.training import custom, custom_head, networks

    variant = model.spec.variant
    build = networks.network_function(custom.load_functions(variant, model.code))
    h = keras.Input(tuple(x.shape[1:]))
    outputs = custom_head.build_head(build, h, variant, "float32", 0)
    with build.responsible():
        head = keras.Model(h, list(outputs))
    custom_head.check_stock_layers(build, head)
    own = list(arrays.values())[len(arrays) - len(head.trainable_variables) :]
    if [array.shape for array in own] != [tuple(v.shape) for v in head.trainable_variables]:
        raise UserError(
            f"{model.folder}: its weights are of another network than its spec's; {HOW_TO_RESTORE}"
        )
    for variable, array in zip(head.trainable_variables, own, strict=True):
        variable.assign(array)
    return keras.Model(h, outputs[0], name=name)(x)


def scratch(x: Tensor, variant: Variant, arrays: Arrays, name: str) -> Tensor:
    """The network `scratch` on scaled images."""
    from keras import layers

    names = unique_layer_names(name)
    convolution = layers.Conv2D(variant.fc1, 3, activation="relu", name=next(names))
    x = with_weights(convolution, x, arrays, "conv")
    x = layers.MaxPooling2D(2, name=next(names))(x)
    x = layers.Flatten(name=next(names))(x)
    x = with_weights(layers.Dense(variant.fc2, "relu", name=next(names)), x, arrays, "fc2")
    return with_weights(layers.Dense(1, "sigmoid", name=name), x, arrays, "output")


def with_weights(layer: Any, x: Tensor, arrays: Arrays, source: str) -> Tensor:
    """The layer's output, with the weights that the run has for `source`."""
    output = layer(x)
    try:
        layer.set_weights([arrays[f"{source}/kernel"], arrays[f"{source}/bias"]])
    except (KeyError, ValueError):
        raise UserError(
            f"weights of another network than the run's spec: `{source}` does not fit; retry the "
            "run"
        ) from None
    return output


def unique_layer_names(name: str) -> Iterator[str]:
    """Names for a model's own layers that no other's have."""
    number = 0
    while True:
        number += 1
        yield f"{name}_{number}"


def main() -> None:
    """Answer the request on standard input."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=ExportRequest)
    try:
        build_complete_model(request.models).save(request.output)
        send(InferenceMessage(unreadable={}))
    except UserError as error:
        send(InferenceMessage(error=str(error)))
    except OSError as error:
        send(InferenceMessage(error=f"{request.output}: {error.strerror or error}"))


if __name__ == "__main__":
    hide_unused_packages()
    main()
    # Not a plain exit: the frameworks' threads may hang in their destructors.
    os._exit(0)
