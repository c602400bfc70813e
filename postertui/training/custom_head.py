"""A network of the user's own: built, checked, its initial weights drawn."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from postertui.study import Variant
from postertui.training.backend import Tensor, to_device, to_host
from postertui.training.custom import Function, describe_shape
from postertui.training.initializers import Array

#: Rows of random numbers that a network is tried on before it trains.
TRIAL_ROWS = 32

#: What initial weights of the user's layers are drawn from, beside the run's entropy.
_INITIAL_WEIGHTS = 3


def build_head(
    build: Function, x: Tensor, variant: Variant, dtype: str, seed: int
) -> tuple[Tensor, ...]:
    """What `build` makes of x: p (n, 1) and the activities to penalise.

    Parameters
    ----------
    x : (n, …)
        A Keras tensor of the backbone's outputs.
    dtype
        Of the layers.
    seed
        Of the weights that the user's layers draw.

    Raises
    ------
    UserError
        Where `build` returns something else, naming its line.
    """
    keras.utils.set_random_seed(seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        result = build(x, variant)
    finally:
        keras.config.set_dtype_policy(policy)
    outputs = tuple(result) if isinstance(result, tuple | list) else (result,)
    for output in outputs or (result,):
        if not isinstance(output, keras.KerasTensor):
            kind = "nothing" if output is None else f"a {type(output).__name__}"
            raise build.error(f"returns {kind}, not a tensor that Keras' layers made of x")
    if tuple(outputs[0].shape) != (None, 1):
        raise build.error(
            f"returns a tensor {describe_shape(outputs[0])}, not (n, 1): a probability per poster"
        )
    if variant.regularizer != "none" and len(outputs) == 1:
        raise build.error(
            f"returns no activity to penalise; return (p, activity), or say regularizer = "
            f'"none" instead of "{variant.regularizer}"'
        )
    return outputs if variant.regularizer != "none" else outputs[:1]


def check_head(build: Function, x: Tensor, outputs: Sequence[Tensor], shape: Sequence[int]) -> None:
    """Raise `UserError` for a head (from x to `outputs`) that the loop would not train as meant.

    Parameters
    ----------
    x, outputs
        Keras tensors: what the head is given, and what `build` made of it.
    shape
        Of one row of x.
    """
    with build.responsible():
        model = keras.Model(x, list(outputs))
    if not model.trainable_variables:
        raise build.error("makes no weights that train")
    for layer in model._flatten_layers(include_self=False):  # Keras has no public way.
        if getattr(layer, "activity_regularizer", None) is not None:
            raise build.error(
                f"has an activity_regularizer in {layer.name}; return (p, activity) and say "
                "regularizer and strength in the study"
            )
    for variable in model.non_trainable_variables:
        if "seed_generator" not in variable.path:
            raise build.error(
                f"has the weight {variable.path}, which gradients do not change (an average that "
                "moves, or frozen); LayerNormalization or GroupNormalization have none"
            )
    regularized = [v for v in model.trainable_variables if v.regularizer is not None]
    if len(model.losses) > len(regularized):
        raise build.error("has a layer that adds a loss (add_loss), which is ignored here")
    trial = np.random.default_rng(0).random((TRIAL_ROWS, *shape), dtype=np.float32)
    with build.responsible():
        p = to_host(keras.tree.flatten(model(to_device(trial), training=False))[0])
    if not (np.isfinite(p).all() and p.min() >= 0 and p.max() <= 1):
        worst = p[np.argmax(np.where(np.isfinite(p), np.abs(p - 0.5), np.inf))].item()
        raise build.error(f"returns {worst:.3g}, which is not a probability; end with a sigmoid")


def draw_head(
    build: Function, shape: Sequence[int], variant: Variant, dtype: str, entropy: Sequence[int]
) -> list[Array]:
    """The initial weights of the user's layers on inputs of `shape`, by the run's entropy."""
    source = np.random.SeedSequence(entropy, spawn_key=(_INITIAL_WEIGHTS,))
    seed = int(source.generate_state(1)[0] >> 1)
    x = keras.Input(tuple(shape), dtype=dtype)
    outputs = build_head(build, x, variant, dtype, seed)
    with build.responsible():
        model = keras.Model(x, list(outputs))
    return [to_host(ops.copy(v)) for v in model.trainable_variables]


def check_stock_layers(build: Function, head: keras.Model) -> None:
    """Raise `UserError` for layers that Keras alone cannot read from a file."""
    for layer in head._flatten_layers(include_self=False):
        is_stock = type(layer).__module__.startswith("keras.")
        if not is_stock or isinstance(layer, keras.layers.Lambda):
            kind = type(layer).__name__
            raise build.error(f"makes a {kind}, which a file that needs nothing else cannot hold")


def has_convolutions(model: keras.Model) -> bool:
    """Whether any layer is a convolution of Keras' own."""
    return any("Conv" in type(layer).__name__ for layer in model._flatten_layers())
