"""Training a classical model: the one row of its history, and what the run keeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data.chosen_posters import ChosenPosters
from postertui.runs.spec import RunSpec
from postertui.runs.trained_weights import SMALL_BYTES, write_weights
from postertui.training.backend import Tensor, to_device, to_host
from postertui.training.blocks import HostRows
from postertui.training.classical import (
    dump_model,
    fit_model,
    predict_model,
    scale_rows,
)
from postertui.training.epoch_columns import cohort_columns
from postertui.training.epoch_result import EpochResult
from postertui.training.epoch_schedule import EpochSchedule, schedule_evaluation
from postertui.training.input_encoding import InputEncoding
from postertui.training.inputs import Inputs
from postertui.training.labels import HeldOutCohort, Labels
from postertui.training.metrics import Metrics
from postertui.training.objective import HyperScalars, batch_sums, hyper_scalars
from postertui.training.results import FinishedWeights, RunResults
from postertui.training.sampling import epoch_order


class CohortRows(NamedTuple):
    """A cohort's inputs and labels; `name` prefixes its columns."""

    name: str
    x: Tensor | HostRows
    labels: NDArray[np.uint8]


class FittedModel(NamedTuple):
    """A trained model: its columns' sums by cohort, and how to write it."""

    sums: dict[str, tuple[EpochSchedule, NDArray[np.floating]]]
    results: RunResults
    write_results: Callable[[Path], dict[str, Any]]


def train_classical(
    spec: RunSpec,
    posters: ChosenPosters,
    encoding: InputEncoding,
    train: CohortRows,
    held_out: list[CohortRows],
    hyper: HyperScalars,
    seconds_per_poster: float | None,
) -> FittedModel:
    """Fit the spec's model on `train` and take all cohorts through it.

    `hyper` are scalars of evaluation. Raises `UserError` where it cannot be trained.
    """
    variant = spec.variant
    rows = {c.name: scale_rows(_on_host(c.x), encoding) for c in (train, *held_out)}
    order = np.sort(epoch_order(variant, spec.entropy, 1, train.labels))
    model = fit_model(spec, rows["train"][order], train.labels[order])
    began = time.perf_counter()
    probabilities = {name: predict_model(model, x) for name, x in rows.items()}
    seconds = (time.perf_counter() - began) / sum(map(len, rows.values()))
    sums = {}
    for cohort in (train, *held_out):
        schedule = schedule_evaluation(cohort.labels, variant.batch_size)
        p = probabilities[cohort.name]
        sums[cohort.name] = schedule, sums_of(p, cohort.labels, schedule, hyper)
    kept = np.concatenate([probabilities[cohort.name] for cohort in held_out])
    results = RunResults(
        spec,
        posters,
        (),
        None if seconds_per_poster is None else seconds_per_poster + seconds,
        last=FinishedWeights(1, [], kept),
        best=None,
        encoding=encoding,
        keeps_weights=False,
    )

    def write_results(folder: Path) -> dict[str, Any]:
        fields = results.write(folder)
        dumped = dump_model(model)
        if spec.keep_weights == "none":
            return fields
        if spec.keep_weights == "small" and len(dumped) > SMALL_BYTES:
            return fields
        info = write_weights(
            folder, spec.digest, 1, {}, msgspec.json.encode(encoding), model=dumped
        )
        return fields | {"weights": msgspec.to_builtins(info)}

    return FittedModel(sums, results, write_results)


def sums_of(
    p: NDArray[np.float32],
    labels: NDArray[np.uint8],
    schedule: EpochSchedule,
    hyper: HyperScalars,
) -> NDArray[np.floating]:
    """The sums of each batch (S, len(SUMS)), as the training loop makes them."""
    table = []
    for rows, size in zip(schedule.rows, schedule.size, strict=True):
        present = (np.arange(len(rows)) < size).astype(np.float32)[:, None]
        y = labels[rows].astype(np.float32)[:, None]
        none = to_device(np.zeros((len(rows), 1), np.float32))
        sums = batch_sums(
            to_device(p[rows][:, None]), (none,), to_device(y), to_device(present), hyper
        )
        table.append(to_host(sums))
    return np.stack(table)


def _on_host(x: Tensor | HostRows) -> NDArray[Any]:
    return x.whole() if isinstance(x, HostRows) else to_host(x)


def classical_row(
    spec: RunSpec, inputs: Inputs, labels: Labels, held_out: list[HeldOutCohort], dtype: str
) -> EpochResult:
    """The one row of a classical model's history.

    Parameters
    ----------
    labels : (n,)
        0 and 1, of the training cohorts.
    held_out
        The validation and test cohorts.
    dtype
        Of the sums.

    Raises
    ------
    UserError
        Where the model cannot be trained.
    """
    began = time.perf_counter()
    assert inputs.encoding is not None
    trained = train_classical(
        spec,
        inputs.posters,
        inputs.encoding,
        CohortRows("train", inputs.train, labels),
        [CohortRows(cohort.name, cohort.x, cohort.labels) for cohort in held_out],
        hyper_scalars(spec, (1.0, 1.0), dtype),
        inputs.seconds_per_poster,
    )
    metrics: Metrics = {}
    for name, (schedule, sums) in trained.sums.items():
        metrics |= cohort_columns((spec,), name, schedule, sums)[0]
    metrics |= {"dead": False, "learning_rate": None, "seconds": time.perf_counter() - began}
    metrics |= trained.results.scores()
    return EpochResult(1, metrics, _save_nothing, trained.write_results)


def _save_nothing(_: Path) -> None:
    """A classical model is trained in one step, before which there is nothing to go on from."""
