"""What a trainer hands out after each epoch: metrics, a checkpoint, and at the end results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from postertui.runs.spec import RunSpec
from postertui.training.backend import Tensor, to_host
from postertui.training.checkpoint import Checkpoint, save_checkpoint
from postertui.training.learning_rate import RateState
from postertui.training.loop import State
from postertui.training.metrics import Metrics


class EpochResult(NamedTuple):
    """One finished epoch, counted from 1. `metrics` has the history table's columns.

    `save(path)` writes a checkpoint from which the run resumes with identical results; callable
    until the next epoch is requested. The run's last epoch has `write_results(run_folder)`, which
    writes predictions and weights and returns the fields of the `end` event.

    Where genres are trained together, `group` has the same of each genre, itself included; all save
    the one state of the whole group.
    """

    epoch: int
    metrics: Metrics
    save: Callable[[Path], None]
    write_results: Callable[[Path], dict[str, Any]] | None = None
    group: Mapping[str, EpochResult] = MappingProxyType({})


def of_genres(spec: RunSpec, results: Sequence[EpochResult]) -> EpochResult:
    """The result of `spec`, from that of each member of its group."""
    if not spec.group:
        return results[0]
    group = dict(zip(spec.group, results, strict=True))
    return group[spec.genre]._replace(group=group)


def state_digest(spec: RunSpec) -> str:
    """What a checkpoint of the run, or of the group that it belongs to, is recognised by."""
    return spec.unit if spec.group else spec.digest


def checkpoint_writer(
    digest: str,
    epoch: int,
    updates: int,
    rate_state: RateState,
    state: State,
    best_weights: tuple[Tensor, ...],
) -> Callable[[Path], None]:
    """A function that writes the state after `epoch` to a path.

    Parameters
    ----------
    digest
        Of the run's spec: a checkpoint of another is refused.
    updates
        How many the optimizer has made.
    rate_state
        Of the learning rate's schedule.
    best_weights
        Those of the best epoch; empty where none are restored.
    """

    def save(path: Path) -> None:
        groups = [[to_host(t) for t in tensors] for tensors in (*state, best_weights)]
        save_checkpoint(path, Checkpoint(digest, epoch, updates, rate_state, *groups))

    return save
