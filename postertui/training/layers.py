"""Dense, convolution and pooling layers for the CPU, where XLA's own are slow inside a loop.

The kernel gradient of a stock convolution runs at a few GFLOP/s there. These convolutions are
matrix products: with many channels one per tap of the kernel, over the outputs that the tap
reaches, so that nothing is multiplied with padding; with the three channels of an image, where
that would be bound by memory traffic, one product of the gathered taps (see `conv_pool`).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from postertui.training.backend import Tensor
from postertui.training.conv_pool import conv_pool
from postertui.training.matmul import matmul


class Dense(keras.layers.Dense):  # type: ignore[misc]
    """`keras.layers.Dense` with `matmul`'s faster gradient."""

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        return self.activation(matmul(x, self.kernel) + self.bias)


class OutputPerHead(keras.layers.Layer):  # type: ignore[misc]
    """A sigmoid unit on each of R heads' own activities: (B, R, units) to (B, R).

    Head r's kernel and bias are the last axis' r-th of `kernel` (units, R) and `bias` (R,).
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, heads, units = input_shape
        self.kernel = self.add_weight(shape=(units, heads), initializer="zeros", name="kernel")
        self.bias = self.add_weight(shape=(heads,), initializer="zeros", name="bias")

    def call(self, x: Tensor) -> Tensor:
        # As a sum, which XLA's reductions make faster than a product per head.
        return ops.sigmoid(ops.sum(x * ops.transpose(self.kernel), axis=-1) + self.bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape[:2]


class Kernel3x3(keras.layers.Layer):  # type: ignore[misc]
    """A layer with the weights of `Conv2D(filters, 3)`."""

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            shape=(3, 3, input_shape[-1], self.filters), initializer="zeros", name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")


class TapConv2D(Kernel3x3):
    """What `Conv2D(filters, 3, padding="same", activation="relu")` is, for many channels.

    `crop` leaves out the last output row or column where their number is odd, which a 2x2 pooling
    would drop.
    """

    def __init__(self, filters: int, *, crop: bool = False, **kwargs: Any) -> None:
        super().__init__(filters, **kwargs)
        self.crop = crop

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = input_shape
        return batch, self._outputs(height), self._outputs(width), self.filters

    def _outputs(self, inputs: int | None) -> int:
        assert inputs is not None
        return inputs - inputs % 2 if self.crop else inputs

    def call(self, x: Tensor) -> Tensor:
        height, width, channels = x.shape[1:]
        rows, columns = self._outputs(height), self._outputs(width)
        total = self.bias
        for i in range(3):
            for j in range(3):
                top, bottom = reach(i - 1, rows, height)
                left, right = reach(j - 1, columns, width)
                part = x[:, top + i - 1 : bottom + i - 1, left + j - 1 : right + j - 1]
                tap = matmul(ops.reshape(part, (-1, channels)), self.kernel[i, j])
                tap = ops.reshape(tap, (-1, bottom - top, right - left, self.filters))
                around = ((0, 0), (top, rows - bottom), (left, columns - right), (0, 0))
                total = total + ops.pad(tap, around)
        return ops.relu(total)


def reach(offset: int, outputs: int, inputs: int) -> tuple[int, int]:
    """The range of outputs that have an input at `offset`."""
    return max(0, -offset), min(outputs, inputs - offset)


class PatchConvPool2D(Kernel3x3):
    """What `Conv2D(filters, 3, activation="relu")` and `MaxPooling2D(2)` are, for few channels."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = input_shape
        assert height is not None
        assert width is not None
        return batch, (height - 2) // 2, (width - 2) // 2, self.filters

    def call(self, x: Tensor) -> Tensor:
        return conv_pool(x, self.kernel, self.bias)


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
