"""Which rows form each batch of an epoch, and what each batch may change. Computed on the host."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from postertui.study import Mode, Optimizer
from postertui.training.optimizers import step_sizes

#: A float, or an array (R,) for R genres that are trained together.
Scalars: TypeAlias = Any


class EpochSchedule(NamedTuple):
    """One pass over a cohort in S batches of at most B rows.

    Attributes
    ----------
    rows : int32 (S, B)
        Row numbers of each batch; the last batch is padded with row 0.
    size, positives : int64 (S,)
        How many rows a batch has without padding, and how many of them are positive; the latter
        (S, R) for R genres that are trained together.
    weight : float64 (S,)
        Mean class weight of the batch; (S, R) for R genres.
    step_size : float64 (S,)
        The optimizer's step size; Adam's alpha_t.
    decay : float64 (S,)
        Learning rate times weight decay.
    seed : uint32 (S, 2)
        Of the batch's dropout.
    update : bool (S,)
        Whether the batch changes the weights.
    updates : int
        Updates since the run began, after this pass.
    """

    rows: NDArray[np.int32]
    size: NDArray[np.int64]
    positives: NDArray[np.int64]
    weight: NDArray[np.float64]
    step_size: NDArray[np.float64]
    decay: NDArray[np.float64]
    seed: NDArray[np.uint32]
    update: NDArray[np.bool_]
    updates: int


def class_weights(labels: NDArray[np.uint8]) -> tuple[Scalars, Scalars]:
    """(1/m, 1/(1-m)) for the share m of positives in `labels` (n,), or of each column of (n, R)."""
    rate = labels.mean(axis=0)
    return 1 / rate, 1 / (1 - rate)


def schedule_training(
    order: NDArray[np.int32],
    labels: NDArray[np.uint8],
    batch_size: int,
    learning_rate: float,
    updates: int,
    *,
    loss: str,
    mode: Mode,
    optimizer: Optimizer = "adam",
    weight_decay: float = 0.0,
    seeds: np.random.SeedSequence | None = None,
) -> EpochSchedule:
    """A training pass over the rows in `order`.

    Parameters
    ----------
    order
        Row numbers (n,), shuffled.
    labels
        0 or 1 for every row of the inputs (n,), or (n, R) for R genres that are trained together.
        Class weights are those of the rows in `order`.
    learning_rate, weight_decay
        Those of the epoch, as Keras' optimizers take them.
    updates
        How many updates the run has made before.
    mode
        In `sound`, a batch without a positive of any genre, whose F-score is 0/0, updates nothing.
    seeds
        The source of the batches' dropout seeds.
    """
    rows, size, positives = split_into_batches(order, labels, batch_size)
    positive, negative = class_weights(labels[order])
    share = positives / per_batch(size, positives)
    update: NDArray[np.bool_] = np.ones(len(size), bool)
    if loss == "fscore" and mode == "sound":
        update = np.any(positives.reshape(len(size), -1) > 0, axis=1)
    cumulative = updates + np.cumsum(update)
    return EpochSchedule(
        rows,
        size,
        positives,
        share * positive + (1 - share) * negative,
        step_sizes(optimizer, learning_rate, np.maximum(cumulative, 1)),
        np.full(len(size), learning_rate * weight_decay),
        _batch_seeds(seeds, len(size)),
        update,
        int(cumulative[-1]),
    )


def schedule_evaluation(labels: NDArray[np.uint8], batch_size: int) -> EpochSchedule:
    """A pass over all rows in their own order, without updates or class weights."""
    order = np.arange(len(labels), dtype=np.int32)
    rows, size, positives = split_into_batches(order, labels, batch_size)
    ones, zeros = np.ones(positives.shape), np.zeros(len(size))
    seed = _batch_seeds(None, len(size))
    return EpochSchedule(rows, size, positives, ones, zeros, zeros, seed, zeros.astype(bool), 0)


def per_batch(values: NDArray[np.int64], like: NDArray[Any]) -> NDArray[np.int64]:
    """`values` (S,) in the form that broadcasts with `like`, (S,) or (S, R)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def _batch_seeds(seeds: np.random.SeedSequence | None, count: int) -> NDArray[np.uint32]:
    if seeds is None:
        return np.zeros((count, 2), np.uint32)
    return seeds.generate_state(2 * count).astype(np.uint32).reshape(count, 2)


def split_into_batches(
    order: NDArray[np.int32], labels: NDArray[np.uint8], batch_size: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Rows (S, B), sizes (S,) and numbers of positives of `order` cut into batches.

    The latter are (S,) for labels (n,), and (S, R) for (n, R).
    """
    count = len(order)
    steps = -(-count // batch_size)
    rows = np.zeros((steps, batch_size), np.int32)
    rows.reshape(-1)[:count] = order
    size = np.full(steps, batch_size, np.int64)
    size[-1] = count - batch_size * (steps - 1)
    present = np.arange(batch_size) < size[:, None]
    present = present.reshape(*present.shape, *[1] * (labels.ndim - 1))
    return rows, size, (labels[rows] * present).sum(axis=1, dtype=np.int64)
