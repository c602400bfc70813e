"""One pass over a cohort, in as many blocks as its inputs need, with its results on the host."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from postertui.training.backend import Tensor, to_host
from postertui.training.blocks import iter_blocks
from postertui.training.epoch_schedule import EpochSchedule
from postertui.training.inputs import Rows
from postertui.training.labels import HeldOutCohort, Labels
from postertui.training.loop import Passes, State, to_batches
from postertui.training.objective import HyperScalars

#: Of each batch of a pass, (S, len(SUMS), R).
Sums = NDArray[np.floating]


class Evaluation(NamedTuple):
    """A pass without updates.

    Attributes
    ----------
    sums : (S, len(SUMS), R)
        Of each batch.
    probabilities : float32 (n, R)
        Of each row.
    """

    sums: Sums
    probabilities: NDArray[np.float32]


def train_pass(
    passes: Passes,
    state: State,
    x: Rows,
    labels: Labels,
    schedule: EpochSchedule,
    hyper: HyperScalars,
    dtype: str,
) -> tuple[State, Sums]:
    """Update the weights batch by batch.

    Parameters
    ----------
    x, labels
        Inputs (n, …) and labels (n,), or (n, R) for R genres that are trained together.
    schedule
        Which rows are in which batch, and the step of each.
    dtype
        Of the arithmetic.

    Returns
    -------
    State
        After the last update.
    Sums
        Of each batch, with the weights before its update.
    """
    sums = []
    for cohort, block in iter_blocks(x, labels, schedule):
        state, block_sums = passes.train(state, cohort, to_batches(block, dtype), hyper)
        sums.append(to_host(block_sums))
    return state, np.concatenate(sums)


def evaluation_pass(
    passes: Passes,
    weights: tuple[Tensor, ...],
    cohort: HeldOutCohort,
    hyper: HyperScalars,
    dtype: str,
) -> Evaluation:
    """What a network with these weights makes of the cohort.

    Parameters
    ----------
    passes
        The network's compiled passes.
    weights
        In the network's order, on the device.
    hyper
        Scalars of evaluation.
    dtype
        Of the inputs.
    """
    sums, probabilities = [], []
    for rows, block in iter_blocks(cohort.x, cohort.labels, cohort.schedule):
        of_block = passes.evaluate(weights, rows, to_batches(block, dtype), hyper)
        block_sums, p = map(to_host, of_block)
        sums.append(block_sums)
        probabilities.append(p.reshape(-1, p.shape[-1]))
    p = np.concatenate(probabilities)[: len(cohort.labels)]
    return Evaluation(np.concatenate(sums), p.astype(np.float32))
