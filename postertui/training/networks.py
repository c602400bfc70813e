"""The networks: a head on cached features, VGG16's last layers with a head, and `scratch`.

A model's outputs are the probability p (B, 1), then one or more activations to penalise. Genres
that are trained together have a head each on layers that they share, and p is (B, R) for R of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
from keras import layers

from postertui.data.weights import CONVOLUTIONS, Weights
from postertui.study import ALL_LAYERS, SharedLayers, Variant
from postertui.system.errors import UserError
from postertui.training import backbone_parts, custom, custom_head, initializers
from postertui.training.backend import Tensor, on_accelerator, to_device
from postertui.training.initializers import Array
from postertui.training.input_encoding import JoinedShape
from postertui.training.joined_network import in_model_order, join_details
from postertui.training.layers import (
    Dense,
    OutputPerHead,
    PatchConvPool2D,
    ReshapePool2D,
    TapConv2D,
)
from postertui.training.trainable_network import Network, Pretrained, WeightInit
from postertui.training.vgg16 import LAYERS

#: The layers that each head has for itself, by what a variant shares.
OWN_LAYERS: dict[SharedLayers, tuple[str, ...]] = {
    "none": ("fc1", "fc2", "output"),
    "fc1": ("fc2", "output"),
    "fc1+fc2": ("output",),
}


def build(
    variant: Variant,
    first: int,
    input_shape: tuple[int, ...],
    dtype: str,
    *,
    side: int = 0,
    weights: Weights | None = None,
    functions: custom.CustomFunctions | None = None,
    joined: JoinedShape | None = None,
    heads: int = 1,
) -> Network:
    """The network that trains on inputs of `input_shape`.

    Raises `UserError` for a network of the user's that cannot be trained.

    Parameters
    ----------
    first
        The backbone's first layer that the inputs have not passed through; `scratch` ignores it.
    side, weights
        Of the images and of the backbone, where it is none of VGG16's.
    functions
        The user's own.
    joined
        Of what the inputs consist, where they are posters and details, or details alone.
    heads
        How many genres are trained together, sharing the layers of `variant.share`.
    """
    if variant.has_custom_network:
        keras.utils.clear_session()  # Layers that Keras numbers are numbered from 1 again.
    x = keras.Input(input_shape, dtype=dtype)
    h, initial_weights = x, list[WeightInit]()

    def tail(x: Tensor) -> tuple[Tensor, list[WeightInit]]:
        if variant.backbone_name == "vgg16":
            return vgg16_tail(x, first, dtype)
        assert weights is not None
        return backbone_tail(x, variant, first, side, weights)

    if joined is not None:
        branch = dense("details", variant.details_units, "relu", dtype)
        h, initial_weights = join_details(x, joined, branch, tail, dtype)
    elif variant.backbone_name != "scratch":
        h, initial_weights = tail(x)
    draw_custom = None
    if variant.has_custom_network:
        build_head = network_function(functions)
        outputs, draw_custom = add_custom_head(h, variant, dtype, build_head)
    elif variant.network == "scratch":
        outputs, initial_weights = scratch(x, variant, dtype)
    else:
        outputs, more = head(h, variant, dtype, heads)
        initial_weights += more
    if variant.has_custom_network:
        with build_head.responsible():
            model = keras.Model(x, outputs)
        initial_weights += [None] * (len(model.trainable_variables) - len(initial_weights))
    else:
        model = keras.Model(x, outputs)
    if joined is not None:
        initial_weights = in_model_order(model, initial_weights)
    scales = [rate_scale(variant, initial) for initial in initial_weights]
    frozen = {
        v.path: to_device(v.numpy())
        for v in model.non_trainable_variables
        if "seed_generator" not in v.path
    }
    poster_shape = input_shape if joined is None else joined.poster or ()
    stock = variant.backbone_name not in ("vgg16", "scratch") and len(poster_shape) > 1
    stock = stock or (draw_custom is not None and custom_head.has_convolutions(model))
    own = () if heads == 1 else OWN_LAYERS[variant.share]
    names = [variable.path.split("/")[0] for variable in model.trainable_variables]
    return Network(
        model,
        tuple(initial_weights),
        tuple(scales),
        frozen,
        stock,
        draw_custom,
        functions,
        heads,
        tuple(name in own for name in names),
    )


def network_function(functions: custom.CustomFunctions | None) -> custom.Function:
    """The function that makes the network. Raises `UserError` where no file has it."""
    if functions is None or functions.network is None:
        raise UserError("the run's network is a function of the user's, without its file")
    return functions.network


def add_custom_head(
    h: Tensor, variant: Variant, dtype: str, build: custom.Function
) -> tuple[list[Tensor], Callable[[Sequence[int]], list[Array]]]:
    """The outputs of the user's layers on h, and what draws their initial weights.

    They are checked on an input of their own.
    """
    shape = tuple(h.shape[1:])
    outputs = list(custom_head.build_head(build, h, variant, dtype, 0))
    alone = keras.Input(shape, dtype=dtype)
    custom_head.check_head(
        build, alone, custom_head.build_head(build, alone, variant, dtype, 0), shape
    )

    def draw(entropy: Sequence[int]) -> list[Array]:
        return custom_head.draw_head(build, shape, variant, dtype, entropy)

    return outputs, draw


def rate_scale(variant: Variant, initial: WeightInit) -> float:
    """The factor on the learning rate of a weight with this initial value."""
    if isinstance(initial, tuple):
        return variant.rate_of_layer(initial[0])
    return variant.rate_of_layer(initial.layer) if isinstance(initial, Pretrained) else 1.0


def head(
    x: Tensor, variant: Variant, dtype: str, heads: int = 1
) -> tuple[list[Tensor], list[WeightInit]]:
    """Dense(FC1, relu) → Dense(FC2, relu, activity regularizer) → Dense(1, sigmoid).

    Several `heads` share the first of these layers, or the first two; the rest is there for each.
    """
    he, glorot, zero = initializers.he_normal, initializers.glorot_uniform, initializers.zeros
    per_head = initializers.per_head
    own_fc2 = heads if "fc2" in OWN_LAYERS[variant.share] else 1
    h1 = dense("fc1", variant.fc1, "relu", dtype)(x)
    h2 = dense("fc2", variant.fc2 * own_fc2, "relu", dtype)(dropped(h1, variant, dtype))
    if own_fc2 > 1:
        h2 = layers.Reshape((heads, variant.fc2), dtype=dtype)(h2)
        p = OutputPerHead(name="output", dtype=dtype)(dropped(h2, variant, dtype))
    else:
        p = dense("output", heads, "sigmoid", dtype)(dropped(h2, variant, dtype))
    initial = [he, zero, per_head(he, own_fc2), zero, per_head(glorot, heads), zero]
    return [p, h2], list(initial)


def scratch(x: Tensor, variant: Variant, dtype: str) -> tuple[list[Tensor], list[WeightInit]]:
    """Conv2D(3x3, relu) → MaxPool 2 → Flatten → Dense(relu) → Dense(1, sigmoid), on images.

    Both dense layers have the activity regularizer and He initialization, the convolution Keras'
    default, Glorot initialization.
    """
    if on_accelerator():
        x = stock_convolution("conv", variant.fc1, "valid", dtype)(x)
        x = pooling(dtype)(x)
    else:
        x = PatchConvPool2D(variant.fc1, name="conv", dtype=dtype)(x)
    x = layers.Flatten(dtype=dtype)(x)
    h = dense("fc2", variant.fc2, "relu", dtype)(x)
    p = dense("output", 1, "sigmoid", dtype)(dropped(h, variant, dtype))
    he, glorot, zero = initializers.he_normal, initializers.glorot_uniform, initializers.zeros
    return [p, h, p], [glorot, zero, he, zero, he, zero]


def dropped(h: Tensor, variant: Variant, dtype: str) -> Tensor:
    """`h` after the variant's dropout, if it has one."""
    return layers.Dropout(variant.dropout, seed=0, dtype=dtype)(h) if variant.dropout else h


def vgg16_tail(x: Tensor, first: int, dtype: str) -> tuple[Tensor, list[WeightInit]]:
    """VGG16 from layer `first` on, and the global average pooling; empty if all is frozen."""
    initial_weights: list[WeightInit] = []
    filters = dict(CONVOLUTIONS)
    for number in range(first, ALL_LAYERS):
        name = LAYERS[number]
        if name.endswith("pool"):
            x = pooling(dtype)(x)
        else:
            before_pool = LAYERS[number + 1].endswith("pool")
            x = convolution(name, filters[name], before_pool, dtype)(x)
            initial_weights += [(name, 0), (name, 1)]
    if first < ALL_LAYERS:
        x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    return x, initial_weights


def backbone_tail(
    x: Tensor, variant: Variant, first: int, side: int, weights: Weights
) -> tuple[Tensor, list[WeightInit]]:
    """The backbone's layers from `first` on, pooled; empty if all are frozen."""
    if len(x.shape) == 2:
        return x, []
    tail = backbone_parts.load_tail(variant, side, first, weights)
    h = tail(x)
    layer_of = {id(v): layer.name for layer in tail.network.layers for v in layer.weights}
    return h, [Pretrained(layer_of[id(v)], v.numpy()) for v in tail.trainable_variables]


def dense(name: str, units: int, activation: str, dtype: str) -> keras.layers.Layer:
    """A dense layer; `Network.draw_weights` sets its weights."""
    return Dense(units, activation, kernel_initializer="zeros", name=name, dtype=dtype)


def convolution(name: str, filters: int, before_pool: bool, dtype: str) -> keras.layers.Layer:
    """A 3x3 convolution that keeps the size, with relu, in the form that is fast on this device."""
    if on_accelerator():
        return stock_convolution(name, filters, "same", dtype)
    return TapConv2D(filters, crop=before_pool, name=name, dtype=dtype)


def stock_convolution(name: str, filters: int, padding: str, dtype: str) -> keras.layers.Layer:
    """Keras' own 3x3 convolution and relu; `Network.draw_weights` sets its weights."""
    return layers.Conv2D(
        filters,
        3,
        padding=padding,
        activation="relu",
        kernel_initializer="zeros",
        name=name,
        dtype=dtype,
    )


def pooling(dtype: str) -> keras.layers.Layer:
    """2x2 max pooling, in the form that is fast on this device."""
    return layers.MaxPooling2D(2, dtype=dtype) if on_accelerator() else ReshapePool2D(dtype=dtype)
