"""Pillow's Lanczos resize as a graph of Keras' operations, for images whose size is not known.

`keras.layers.Resizing` resizes both axes at once. Pillow resizes one axis, rounds and clips to
0..255, then the other, which near black and white edges differs by up to 15 levels. Here is what
Pillow does, axis by axis, with weights computed from the image's size when it is known.

Written with `keras.ops` alone: a saved model holds the operations themselves and no code.
"""

from __future__ import annotations

import math

import numpy as np
from keras import ops

from postertui.training.backend import Tensor

#: Lobes of the Lanczos kernel on either side.
LOBES = 3


def resize_as_pillow(images: Tensor, side: int) -> Tensor:
    """Squeeze images (n, height, width, 3) of 0..255 to (n, side, side, 3), whole numbers.

    Pillow 13 takes the height first where that is the larger reduction, by more than twice in
    pixels; else, as older versions always, the width.
    """
    x = ops.cast(images, "float32")
    height, width = _size(x, 1), _size(x, 2)
    tall = ops.logical_and(
        ops.greater(height, side), ops.greater(height - side, 2.0 * (width - side))
    )
    width_first = _resize_axis(_resize_axis(x, 2, side), 1, side)
    height_first = _resize_axis(_resize_axis(x, 1, side), 2, side)
    return ops.where(ops.expand_dims(tall, -1), height_first, width_first)


def _resize_axis(x: Tensor, axis: int, side: int) -> Tensor:
    """Resize one axis, then round and clip as a byte."""
    scale = _size(x, axis) / side
    stretch = ops.maximum(scale, 1.0)
    centres = np.arange(side, dtype="float32")[None, None, :] + 0.5
    pixels = ops.expand_dims(_positions(x, axis), -1) - 0.5
    weights = lanczos((pixels - scale * centres) / stretch)
    weights = weights / ops.sum(weights, axis=1, keepdims=True)
    equation = "nhwc,nho->nowc" if axis == 1 else "nhwc,nwo->nhoc"
    return ops.floor(ops.clip(ops.einsum(equation, x, weights), 0.0, 255.0) + 0.5)


def _positions(x: Tensor, axis: int) -> Tensor:
    """1, 2, … along an axis of unknown length: (n, length)."""
    line = x[:, :, 0, 0] if axis == 1 else x[:, 0, :, 0]
    return ops.cumsum(ops.ones_like(line), axis=1)


def _size(x: Tensor, axis: int) -> Tensor:
    """The length of an axis as a tensor (n, 1, 1)."""
    return ops.expand_dims(ops.max(_positions(x, axis), axis=1, keepdims=True), -1)


def lanczos(x: Tensor) -> Tensor:
    """sinc(x) · sinc(x / 3), 0 outside of three lobes."""
    angle = math.pi * x
    is_centre = ops.less(ops.abs(angle), 1e-6)
    safe = ops.where(is_centre, ops.ones_like(angle), angle)
    kernel = LOBES * ops.sin(safe) * ops.sin(safe / LOBES) / ops.square(safe)
    kernel = ops.where(is_centre, ops.ones_like(angle), kernel)
    return ops.where(ops.less(ops.abs(x), LOBES), kernel, ops.zeros_like(x))
