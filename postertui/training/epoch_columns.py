"""An epoch's columns in the history table, for each genre that is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from postertui.runs.spec import RunSpec
from postertui.training.backend import Tensor, to_host
from postertui.training.blocks import by_genre
from postertui.training.cohort_passes import Sums
from postertui.training.epoch_schedule import EpochSchedule
from postertui.training.metrics import Metrics, cohort_metrics
from postertui.training.trainable_network import Network


def cohort_columns(
    members: Sequence[RunSpec], cohort: str, schedule: EpochSchedule, sums: Sums
) -> list[Metrics]:
    """The columns of one cohort in the history table, for each member.

    Parameters
    ----------
    members
        The R runs that are trained together, or the one.
    cohort
        `train`, `val` or `test`, which prefixes the columns.
    sums : (S, len(SUMS), R)
        Of the schedule's S batches.
    """
    empty = "empty_batches" if cohort == "train" else f"{cohort}_empty_batches"
    positives, weight = by_genre(schedule.positives), by_genre(schedule.weight)
    columns = []
    for number, member in enumerate(members):
        metrics = cohort_metrics(
            cohort,
            sums[..., number],
            schedule.size,
            positives[:, number],
            weight[:, number],
            loss=member.variant.loss,
            mode=member.mode,
        )
        metrics[empty] = int((positives[:, number] == 0).sum())
        columns.append(metrics)
    return columns


def mean_monitored_loss(columns: Sequence[Metrics], monitored: str) -> float:
    """The mean of the genres' losses that are defined; NaN without any."""
    losses = [loss for metrics in columns if isinstance(loss := metrics[monitored], float)]
    defined = [loss for loss in losses if not math.isnan(loss)]
    return sum(defined) / len(defined) if defined else math.nan


def dead_heads(network: Network, tensors: Sequence[Tensor]) -> list[bool]:
    """For each head, whether any of its weights `tensors` has become NaN: the model is dead."""
    weights = [to_host(w) for w in tensors]
    if not any(np.isnan(w).any() for w in weights):
        return [False] * network.heads
    return [
        any(np.isnan(w).any() for w in network.head_weights(weights, head))
        for head in range(network.heads)
    ]
