"""Convolution and pooling for the CPU, where XLA's own are slow inside a loop.

The gradient of a stock convolution's kernel runs at a few GFLOP/s there. Here a convolution is one
matrix product per tap of the kernel, over just the outputs that the tap reaches, so that nothing is
multiplied with the zeros of the padding.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from postertui.training.backend import Tensor


class TapConv2D(keras.layers.Layer):  # type: ignore[misc]
    """A 3x3 convolution, relu behind it: what `Conv2D(filters, 3, padding, activation="relu")` is.

    `crop` leaves out the last output row or column where their number is odd, which a 2x2 pooling
    would drop.
    """

    def __init__(self, filters: int, *, padding: str, crop: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.padding = padding
        self.crop = crop

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            shape=(3, 3, input_shape[-1], self.filters), initializer="zeros", name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = input_shape
        return batch, self._outputs(height), self._outputs(width), self.filters

    def _outputs(self, inputs: int | None) -> int:
        assert inputs is not None
        count = inputs if self.padding == "same" else inputs - 2
        return count - count % 2 if self.crop else count

    def call(self, x: Tensor) -> Tensor:
        height, width, channels = x.shape[1:]
        rows, columns = self._outputs(height), self._outputs(width)
        origin = -1 if self.padding == "same" else 0
        total = self.bias
        for i in range(3):
            for j in range(3):
                top, bottom = reach(i + origin, rows, height)
                left, right = reach(j + origin, columns, width)
                part = x[
                    :,
                    top + i + origin : bottom + i + origin,
                    left + j + origin : right + j + origin,
                ]
                product = ops.matmul(ops.reshape(part, (-1, channels)), self.kernel[i, j])
                product = ops.reshape(product, (-1, bottom - top, right - left, self.filters))
                around = ((0, 0), (top, rows - bottom), (left, columns - right), (0, 0))
                total = total + ops.pad(product, around)
        return ops.relu(total)


def reach(offset: int, outputs: int, inputs: int) -> tuple[int, int]:
    """The range of outputs whose input at `offset` from them exists."""
    return max(0, -offset), min(outputs, inputs - offset)


class ReshapePool2D(keras.layers.Layer):  # type: ignore[misc]
    """What `MaxPooling2D(2)` is: the maximum of each 2x2 square, odd remainders dropped."""

    def call(self, x: Tensor) -> Tensor:
        height, width, channels = x.shape[1:]
        rows, columns = height // 2, width // 2
        x = x[:, : 2 * rows, : 2 * columns]
        return ops.max(ops.reshape(x, (-1, rows, 2, columns, 2, channels)), axis=(2, 4))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        assert height is not None
        assert width is not None
        return batch, height // 2, width // 2, channels
