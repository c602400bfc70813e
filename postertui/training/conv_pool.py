"""A 3x3 convolution of images, 2x2 max pooling and relu in one pass, image by image, for the CPU.

The convolution's output is four times as large as the pool's: for a batch of posters more than half
a gigabyte, which as a whole would go to memory and back several times. One image's part of it stays
in the processor's cache. For the gradient is kept which of each square's four outputs was the
largest.
"""

from __future__ import annotations

import numpy as np
from keras import ops

from postertui.training.backend import Tensor, is_compiled_by_xla, materialize, to_device

#: Where relu has made a pooled value zero, none of its four outputs has a gradient.
NONE = 4


def conv_pool(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """relu(max_pool(conv(x, kernel) + bias)) with a gradient; for compiled functions only.

    Bias and relu come after the maximum, which they commute with.

    Parameters
    ----------
    x : (B, height, width, C)
        Few channels C: an image's.
    kernel : (3, 3, C, F)
    bias : (F,)

    Returns
    -------
    (B, (height - 2) // 2, (width - 2) // 2, F)
        What `Conv2D(F, 3, padding="valid", activation="relu")` and `MaxPooling2D(2)` make of x.
    """
    if not is_compiled_by_xla():
        # There Keras' own are as fast, and what a loop builds up is copied in each turn.
        outputs = ops.conv(x, kernel, padding="valid")
        return ops.relu(ops.max_pool(outputs, 2) + bias)

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def pooled(x: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, object]:
        out, largest = _forward(x, kernel, bias)

        def gradients(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, ...]:
            if upstream is None:  # TensorFlow and JAX pass it by position.
                (upstream,) = arguments
            by_kernel, by_bias = _by_weights(x, largest, upstream)
            by_x = _by_inputs(x, kernel, largest, upstream)
            return by_x, ops.reshape(by_kernel, kernel.shape), by_bias

        return out, gradients

    return pooled(x, kernel, bias)


def _forward(x: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The pooled outputs, and the number 2a + b of the largest of each square, at its (a, b)."""
    rows, columns = (x.shape[1] - 2) // 2, (x.shape[2] - 2) // 2
    filters = kernel.shape[-1]
    taps = ops.reshape(kernel, (-1, filters))

    def image(i: Tensor, carry: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        outputs = ops.matmul(_patches(x[i], rows, columns), taps)
        outputs = ops.reshape(outputs, (rows, 2, columns, 2, filters))
        best = outputs[:, 0, :, 0]
        number = ops.zeros(best.shape, "uint8")
        for corner in range(1, 4):
            other = outputs[:, corner // 2, :, corner % 2]
            is_larger = other > best
            best = ops.where(is_larger, other, best)
            number = ops.where(is_larger, ops.cast(corner, "uint8"), number)
        best = best + bias
        number = ops.where(best > 0, number, ops.cast(NONE, "uint8"))
        return (
            ops.slice_update(carry[0], (i, 0, 0, 0), ops.expand_dims(ops.relu(best), 0)),
            ops.slice_update(carry[1], (i, 0, 0, 0), ops.expand_dims(number, 0)),
        )

    count = ops.shape(x)[0]
    shape = (count, rows, columns, filters)
    empty = ops.zeros(shape, x.dtype), ops.zeros(shape, "uint8")
    out, largest = ops.fori_loop(0, count, image, empty)
    return out, largest


def _by_weights(x: Tensor, largest: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients by the kernel (9 C, F) and by the bias (F,)."""
    _, rows, columns, filters = upstream.shape

    def image(i: Tensor, carry: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        outputs = ops.reshape(_unpooled(largest[i], upstream[i]), (-1, filters))
        (patches,) = materialize(ops.transpose(_patches(x[i], rows, columns)))
        by_bias = ops.sum(ops.where(largest[i] < NONE, upstream[i], 0), axis=(0, 1))
        return carry[0] + ops.matmul(patches, outputs), carry[1] + by_bias

    empty = ops.zeros((9 * x.shape[-1], filters), x.dtype), ops.zeros((filters,), x.dtype)
    by_kernel, by_bias = ops.fori_loop(0, ops.shape(x)[0], image, empty)
    return by_kernel, by_bias


def _by_inputs(x: Tensor, kernel: Tensor, largest: Tensor, upstream: Tensor) -> Tensor:
    """The gradient by x; compilers leave it out where the layer is a network's first."""
    outputs = _unpooled(largest, upstream)
    height, width = outputs.shape[1:3]
    total = ops.zeros_like(x)
    for i in range(3):
        for j in range(3):
            part = ops.matmul(outputs, ops.transpose(kernel[i, j]))
            around = (i, x.shape[1] - height - i), (j, x.shape[2] - width - j)
            total = total + ops.pad(part, ((0, 0), *around, (0, 0)))
    return total


def _unpooled(largest: Tensor, upstream: Tensor) -> Tensor:
    """By the convolution's outputs (…, 2 rows, 2 columns, F): zero but at the largest."""
    *before, rows, columns, filters = upstream.shape
    numbers = np.arange(4, dtype=np.uint8).reshape(2, 1, 2, 1)
    largest, upstream = (
        ops.reshape(t, (*before, rows, 1, columns, 1, filters)) for t in (largest, upstream)
    )
    spread = ops.where(largest == to_device(numbers), upstream, ops.zeros_like(upstream))
    return ops.reshape(spread, (*before, 2 * rows, 2 * columns, filters))


def _patches(image: Tensor, rows: int, columns: int) -> Tensor:
    """The inputs of each output that is pooled, (4 rows columns, 9 C), of an image (…, …, C).

    Row by row of the kernel, so that what is copied lies together.
    """
    across = [image[:, j : j + 2 * columns] for j in range(3)]
    in_rows = ops.concatenate(across, axis=-1)
    down = [in_rows[i : i + 2 * rows] for i in range(3)]
    return ops.reshape(ops.concatenate(down, axis=-1), (4 * rows * columns, -1))
