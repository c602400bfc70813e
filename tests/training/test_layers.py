"""The CPU's convolutions and pools against Keras' own, values and gradients, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from postertui.training.backend import graph, jit, to_device, to_host, value_and_grad
from postertui.training.conv_pool import conv_pool
from postertui.training.layers import PatchConvPool2D, ReshapePool2D, TapConv2D

Network = Callable[[Any], Any]


def value_and_gradients(stack: list[Any], x: Any, weights: list[Any]) -> tuple[Any, list[Any]]:
    """The output for `x`, and the gradient of a fixed mixture of it by the weights and by `x`."""
    model = keras.Sequential([keras.Input(x.shape[1:], dtype="float64"), *stack])
    model.set_weights(weights)

    def mixture(arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        *given, inputs = arguments
        out, _ = model.stateless_call(list(given), [], inputs)
        factors = np.sin(np.arange(np.prod(out.shape))).reshape(out.shape)
        return ops.sum(out * to_device(factors)), out

    compiled = jit(lambda *arguments: value_and_grad(mixture, arguments))
    out, gradients = compiled(*(to_device(a) for a in (*weights, x)))
    return to_host(out), [to_host(g) for g in gradients]


def check(ours: list[Any], theirs: list[Any], side: int, channels: int, filters: int = 4) -> None:
    rng = np.random.default_rng(side)
    x = rng.standard_normal((2, side, side, channels))
    weights = [rng.standard_normal((3, 3, channels, filters)), rng.standard_normal(filters)]
    value, gradients = value_and_gradients(ours, x, weights)
    expected, expected_gradients = value_and_gradients(theirs, x, weights)
    np.testing.assert_allclose(value, expected, atol=1e-12)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, other, atol=1e-12)


def conv(padding: str) -> Any:
    return layers.Conv2D(4, 3, padding=padding, activation="relu", dtype="float64")


def max_pool() -> Any:
    return layers.MaxPooling2D(2, dtype="float64")


@pytest.mark.parametrize("side", [2, 3, 5, 6])
def test_taps_are_a_convolution(side: int) -> None:
    check([TapConv2D(4, dtype="float64")], [conv("same")], side, channels=7)


@pytest.mark.parametrize("side", [2, 3, 5])
def test_cropped_taps_and_a_pool_are_a_convolution_and_a_pool(side: int) -> None:
    ours = [TapConv2D(4, crop=True, dtype="float64"), ReshapePool2D(dtype="float64")]
    check(ours, [conv("same"), max_pool()], side, channels=5)


@pytest.mark.parametrize("side", [4, 7, 8, 9])
def test_patches_are_an_unpadded_convolution_and_a_pool(side: int) -> None:
    check([PatchConvPool2D(4, dtype="float64")], [conv("valid"), max_pool()], side, channels=3)


def test_patches_are_the_same_without_xla() -> None:
    rng = np.random.default_rng(0)
    x, kernel, bias = (
        rng.standard_normal((2, 7, 8, 3)),
        rng.standard_normal((3, 3, 3, 4)),
        np.ones(4),
    )
    with_xla, without = (
        to_host(compiled(conv_pool)(*map(to_device, (x, kernel, bias))))
        for compiled in (jit, graph)
    )
    np.testing.assert_allclose(without, with_xla, atol=1e-12)
