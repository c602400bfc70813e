"""An epoch's plan, made on the host: which rows in which batch, and what each batch may do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from postertui.study import Loss, Mode
from postertui.training import adam


class Plan(NamedTuple):
    """One pass over a cohort in S batches of at most B rows, as arrays of length S.

    `rows` is (S, B), the last batch padded with row 0. `size` and `positives` count each batch's
    rows; `weight` is its mean class weight; `step_size` is Adam's alpha_t and `update` whether the
    batch changes the weights. `updates` is how many did, all told, after the epoch.
    """

    rows: NDArray[np.int32]
    size: NDArray[np.int64]
    positives: NDArray[np.int64]
    weight: NDArray[np.float64]
    step_size: NDArray[np.float64]
    update: NDArray[np.bool_]
    updates: int


def class_weights(labels: NDArray[np.uint8]) -> tuple[float, float]:
    """(1/m, 1/(1-m)) for the share m of positives in `labels`."""
    rate = float(labels.mean())
    return 1 / rate, 1 / (1 - rate)


def plan_training(
    order: NDArray[np.int32],
    labels: NDArray[np.uint8],
    batch_size: int,
    learning_rate: float,
    updates: int,
    *,
    loss: Loss,
    mode: Mode,
) -> Plan:
    """An epoch over the rows in `order`, with Adam's updates counted on from `updates`.

    In mode `sound`, a batch without a positive, whose F-score is 0/0, changes nothing.
    """
    rows, size, positives = split(order, labels, batch_size)
    positive, negative = class_weights(labels)
    share = positives / size
    update = np.ones(len(size), bool)
    if loss == "fscore" and mode == "sound":
        update = positives > 0
    made = updates + np.cumsum(update)
    return Plan(
        rows,
        size,
        positives,
        share * positive + (1 - share) * negative,
        adam.step_sizes(learning_rate, np.maximum(made, 1)),
        update,
        int(made[-1]),
    )


def plan_evaluation(labels: NDArray[np.uint8], batch_size: int) -> Plan:
    """A pass over the rows in their own order, which changes nothing and weighs no class."""
    rows, size, positives = split(np.arange(len(labels), dtype=np.int32), labels, batch_size)
    ones, zeros = np.ones(len(size)), np.zeros(len(size))
    return Plan(rows, size, positives, ones, zeros, zeros.astype(bool), 0)


def split(
    order: NDArray[np.int32], labels: NDArray[np.uint8], batch_size: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Rows (S, B), sizes (S,) and numbers of positives (S,) of `order` cut into batches."""
    count = len(order)
    steps = -(-count // batch_size)
    rows = np.zeros((steps, batch_size), np.int32)
    rows.reshape(-1)[:count] = order
    size = np.full(steps, batch_size, np.int64)
    size[-1] = count - batch_size * (steps - 1)
    present = np.arange(batch_size) < size[:, None]
    return rows, size, (labels[rows] * present).sum(axis=1, dtype=np.int64)
