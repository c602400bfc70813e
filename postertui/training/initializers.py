"""Initial weights and shuffles from NumPy's generator: the same under every backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def weights_rng(entropy: Sequence[int]) -> np.random.Generator:
    """The generator of a run's initial weights; `entropy` is the run's `RunSpec.entropy`."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(0,)))


def shuffle(entropy: Sequence[int], epoch: int, count: int) -> NDArray[np.int32]:
    """The order of `count` rows in an epoch, which counts from 1."""
    return epoch_rng(entropy, epoch).permutation(count).astype(np.int32)


def epoch_rng(entropy: Sequence[int], epoch: int) -> np.random.Generator:
    """The generator of an epoch's rows."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(1, epoch)))


def dropout_seeds(entropy: Sequence[int], epoch: int) -> np.random.SeedSequence:
    """The source of an epoch's dropout."""
    return np.random.SeedSequence(entropy, spawn_key=(2, epoch))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """fan_in and fan_out of a dense (in, out) or convolution (h, w, in, out) kernel."""
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A normal of variance 2/fan_in cut off at two standard deviations.

    Keras 2.0 did not rescale after the cut, so the variance comes out as 1.547483/fan_in, which is
    today's `VarianceScaling(1.547483, "fan_in", "truncated_normal")`.
    """
    values = rng.standard_normal(shape, dtype=np.float32)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()), dtype=np.float32)
    return values * np.float32(math.sqrt(2 / fans(shape)[0]))


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Uniform with variance 2/(fan_in + fan_out)."""
    limit = np.float32(math.sqrt(6 / sum(fans(shape))))
    return (rng.random(shape, dtype=np.float32) * 2 - 1) * limit


def per_head(
    initial: Callable[[np.random.Generator, tuple[int, ...]], Array], heads: int
) -> Callable[[np.random.Generator, tuple[int, ...]], Array]:
    """`initial` for each of `heads` equal parts of the last axis."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        part = (*shape[:-1], shape[-1] // heads)
        return np.concatenate([initial(rng, part) for _ in range(heads)], axis=-1)

    return draw


def zeros(_: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Biases begin at zero."""
    return np.zeros(shape, np.float32)
