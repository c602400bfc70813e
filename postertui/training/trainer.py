"""Trains runs, one after another in one process: a spec in, epochs out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from postertui.runs.code import Code
from postertui.runs.spec import RunSpec
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.training import custom, custom_loss, learning_rate, networks
from postertui.training.backend import Tensor, devices, to_device, to_host
from postertui.training.blocks import by_genre, input_memory_limit, iter_blocks
from postertui.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from postertui.training.classical_trainer import CohortRows, train_classical
from postertui.training.epoch_schedule import (
    EpochSchedule,
    Scalars,
    class_weights,
    schedule_training,
)
from postertui.training.features import ReportProgress
from postertui.training.initializers import dropout_seeds
from postertui.training.inputs import Inputs, InputStore, Rows
from postertui.training.labels import HeldOutCohort, Labels, load_labels
from postertui.training.loop import Passes, State, compile_passes, to_batches
from postertui.training.metrics import Metrics, cohort_metrics
from postertui.training.objective import SUMS, HyperScalars
from postertui.training.results import FinishedWeights, RunResults
from postertui.training.sampling import epoch_order
from postertui.training.vgg16 import load_convolutions

Sums = NDArray[np.floating]


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


class CompiledNetwork(NamedTuple):
    """A network and its compiled passes, shared by runs of one shape."""

    network: networks.Network
    passes: Passes


def ignore_progress(cohort: int, done: int, total: int) -> None:
    """Discard progress reports."""


class Trainer:
    """Trains runs one after another, caching compiled passes and the last run's inputs.

    Parameters
    ----------
    features_root
        Folder of the cached features; `features/` in the data folder by default.
    dtype
        Of weights and arithmetic.
    max_input_bytes
        Larger inputs stay on disk and come to the device in blocks.
    """

    def __init__(
        self,
        features_root: Path | None = None,
        dtype: str = "float32",
        max_input_bytes: int | None = None,
    ) -> None:
        self._inputs = InputStore(features_root, max_input_bytes or input_memory_limit())
        self._dtype = dtype
        self._compiled: dict[tuple[object, ...], CompiledNetwork] = {}

    def accelerators(self) -> tuple[str, ...]:
        """The framework's names of the devices beside the CPU that it trains on."""
        return tuple(devices())

    def epochs(
        self,
        spec: RunSpec,
        resume: Path | None = None,
        notify: ReportProgress = ignore_progress,
        code: Code | None = None,
    ) -> Iterator[EpochResult]:
        """Train `spec`, epoch by epoch, from the checkpoint `resume` if given.

        A spec of a group stands for the whole group. What is monitored is then the mean of the
        genres' losses, of those that are defined.

        `notify` receives the progress of feature extraction. `code` are the files of the user's own
        functions, which are executed. Raises `UserError` before the first
        epoch for a run that cannot be trained.
        """
        variant = spec.variant
        inputs = self._inputs.get(spec, notify)
        train_labels, held_out = load_labels(spec, inputs)
        if variant.model != "network":
            yield classical_row(spec, inputs, train_labels, held_out, self._dtype)
            return
        copies = 2 if variant.needs_mirrored else 1
        row_labels = np.concatenate([train_labels] * copies)
        network, passes = self._compile(spec, inputs, code or {})
        first_order = epoch_order(variant, spec.entropy, 1, train_labels)
        train_hyper = hyper_scalars(spec, class_weights(row_labels[first_order]), self._dtype)
        test_hyper = hyper_scalars(spec, (1.0, 1.0), self._dtype)
        monitored = "val_loss" if spec.monitors_validation else "test_loss"
        members = spec.members
        digest = state_digest(spec)

        checkpoint = (
            self._initial_checkpoint(spec, network)
            if resume is None
            else load_checkpoint(resume, digest, network.shapes)
        )
        first_epoch, updates, rate_state = checkpoint[1] + 1, *checkpoint[2:4]
        if rate_state.stopped:
            return  # it had stopped early; no epoch follows
        state = State(*(tuple(map(to_device, arrays)) for arrays in checkpoint[4:7]))
        best_weights = tuple(map(to_device, checkpoint.best))
        del checkpoint  # frees the host's copy of the state

        for epoch in range(first_epoch, variant.epochs + 1):
            began = time.perf_counter()
            rate = learning_rate.learning_rate(variant, rate_state, epoch)
            schedule = schedule_training(
                epoch_order(variant, spec.entropy, epoch, train_labels),
                row_labels,
                variant.batch_size,
                rate,
                updates,
                loss=variant.loss,
                mode=spec.mode,
                optimizer=variant.optimizer,
                weight_decay=variant.weight_decay,
                seeds=dropout_seeds(spec.entropy, epoch)
                if variant.dropout or network.functions
                else None,
            )
            state, sums = self._train_pass(
                passes, state, inputs.train, row_labels, schedule, train_hyper
            )
            if network.functions is not None:
                custom_loss.check_finite(network.functions, SUMS, sums[..., 0], epoch, spec.mode)
            columns = cohort_columns(members, "train", schedule, sums)
            for cohort in held_out:
                sums = self._evaluation_pass(passes, state, cohort, test_hyper)
                evaluated = cohort_columns(members, cohort.name, cohort.schedule, sums)
                columns = [a | b for a, b in zip(columns, evaluated, strict=True)]

            loss = mean_loss(columns, monitored)
            rate_state = learning_rate.after_epoch(variant, rate_state, epoch, loss)
            if rate_state.best_epoch == epoch:
                best_weights = state.weights
            updates = schedule.updates
            dead = dead_heads(network, state)
            seconds = time.perf_counter() - began
            for number, metrics in enumerate(columns):
                metrics |= {"dead": dead[number], "learning_rate": rate, "seconds": seconds}
            save = checkpoint_writer(digest, epoch, updates, rate_state, state, best_weights)
            if epoch < variant.epochs and not rate_state.stopped:
                yield of_genres(spec, [EpochResult(epoch, metrics, save) for metrics in columns])
                continue
            best_epoch = rate_state.best_epoch
            began = time.perf_counter()
            last = self._finished_heads(network, passes, epoch, state.weights, held_out)
            seconds = (time.perf_counter() - began) / max(len(last[0].probabilities), 1)
            best: Sequence[FinishedWeights | None] = [None] * len(members)
            if best_weights:
                best = self._finished_heads(network, passes, best_epoch, best_weights, held_out)
            finished = []
            for number, member in enumerate(members):
                results = RunResults(
                    member,
                    inputs.posters,
                    network.weight_names,
                    seconds_per_poster=None
                    if inputs.seconds_per_poster is None
                    else seconds + inputs.seconds_per_poster,
                    last=last[number],
                    best=best[number],
                    encoding=inputs.encoding,
                )
                metrics = columns[number] | results.scores()
                finished.append(EpochResult(epoch, metrics, save, results.write))
            yield of_genres(spec, finished)
            return

    def _compile(self, spec: RunSpec, inputs: Inputs, code: Code) -> CompiledNetwork:
        variant = spec.variant
        shape = tuple(inputs.train.shape[1:])
        key = (
            variant.network,
            variant.frozen_layers,
            variant.fc1,
            variant.fc2,
            variant.loss,
            shape,
            variant.optimizer,
            variant.momentum,
            variant.dropout,
            variant.kernel_regularizer,
            variant.backbone_rate,
            variant.trainable_layers,
            variant.train_from,
            variant.share,
            len(spec.members),
            spec.weights.digest,
            inputs.dataset.side,
            # A function of the user's may look at any setting.
            variant if variant.code else None,
            inputs.joined,
            variant.details_units,
        )
        if key not in self._compiled:
            functions = custom.load_functions(variant, code)
            if functions is not None:
                custom_loss.check_loss(functions, variant.batch_size, self._dtype)
            network = networks.build(
                variant,
                inputs.first,
                shape,
                self._dtype,
                side=inputs.dataset.side,
                weights=spec.weights,
                functions=functions,
                joined=inputs.joined,
                heads=len(spec.members),
            )
            check_regularizers(variant, network)
            passes = compile_passes(network, variant)
            self._compiled[key] = CompiledNetwork(network, passes)
        return self._compiled[key]

    def _initial_checkpoint(self, spec: RunSpec, network: networks.Network) -> Checkpoint:
        """Initial weights, with both of Adam's moments zero."""
        pretrained = any(isinstance(w, tuple) for w in network.initial_weights)
        convolutions = load_convolutions(spec.weights) if pretrained else {}
        weights = network.draw_weights(spec.entropy, convolutions)
        arrays = [w.astype(self._dtype) for w in weights]
        zeros = [np.zeros_like(w) for w in arrays]
        rate_state = learning_rate.initial_state(spec.variant)
        return Checkpoint(state_digest(spec), 0, 0, rate_state, arrays, zeros, zeros, best=[])

    def _train_pass(
        self,
        passes: Passes,
        state: State,
        x: Rows,
        labels: Labels,
        schedule: EpochSchedule,
        hyper: HyperScalars,
    ) -> tuple[State, Sums]:
        sums = []
        for cohort, block in iter_blocks(x, labels, schedule):
            state, block_sums = passes.train(state, cohort, to_batches(block, self._dtype), hyper)
            sums.append(to_host(block_sums))
        return state, np.concatenate(sums)

    def _evaluation_pass(
        self, passes: Passes, state: State, cohort: HeldOutCohort, hyper: HyperScalars
    ) -> Sums:
        sums = [
            to_host(passes.evaluate(state.weights, rows, to_batches(block, self._dtype), hyper))
            for rows, block in iter_blocks(cohort.x, cohort.labels, cohort.schedule)
        ]
        return np.concatenate(sums)

    def _finished_heads(
        self,
        network: networks.Network,
        passes: Passes,
        epoch: int,
        weights: tuple[Tensor, ...],
        held_out: list[HeldOutCohort],
    ) -> list[FinishedWeights]:
        """Each head's weights after `epoch`, with what it shares, and their probabilities."""
        probabilities = np.concatenate([self._predict(passes, weights, c) for c in held_out])
        arrays = [to_host(w) for w in weights]
        return [
            FinishedWeights(
                epoch,
                network.head_weights(arrays, head),
                np.ascontiguousarray(probabilities[:, head]),
            )
            for head in range(network.heads)
        ]

    def _predict(
        self, passes: Passes, weights: tuple[Tensor, ...], cohort: HeldOutCohort
    ) -> NDArray[np.float32]:
        """The probabilities of the cohort's rows (n, R)."""
        p = []
        for rows, block in iter_blocks(cohort.x, cohort.labels, cohort.schedule):
            batches = to_host(passes.predict(weights, rows, to_batches(block, self._dtype)))
            p.append(batches.reshape(-1, batches.shape[-1]))
        return np.concatenate(p)[: len(cohort.labels)].astype(np.float32)


def classical_row(
    spec: RunSpec, inputs: Inputs, labels: Labels, held_out: list[HeldOutCohort], dtype: str
) -> EpochResult:
    """The one row of a classical model's history. Raises `UserError` where it cannot be trained."""
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
    return EpochResult(1, metrics, save_nothing, trained.write_results)


def save_nothing(_: Path) -> None:
    """A classical model is trained in one step, before which there is nothing to go on from."""


def state_digest(spec: RunSpec) -> str:
    """What a checkpoint of the run, or of the group that it belongs to, is recognised by."""
    return spec.unit if spec.group else spec.digest


def of_genres(spec: RunSpec, results: Sequence[EpochResult]) -> EpochResult:
    """The result of `spec`, from that of each member of its group."""
    if not spec.group:
        return results[0]
    group = dict(zip(spec.group, results, strict=True))
    return group[spec.genre]._replace(group=group)


def hyper_scalars(spec: RunSpec, weights: tuple[Scalars, Scalars], dtype: str) -> HyperScalars:
    """The run's scalars, on the device. `weights` are the class weights, ones in evaluation."""
    variant = spec.variant
    values = (
        0.0 if variant.regularizer in ("none", "l2") else variant.strength,
        variant.strength if variant.regularizer == "l2" else 0.0,
        *weights,
        1.0 if spec.mode == "published" else 0.0,
        variant.kernel_strength,
    )
    return HyperScalars(*(to_device(np.asarray(value, dtype)) for value in values))


def check_regularizers(variant: Variant, network: networks.Network) -> None:
    """Raise `UserError` where there is no kernel that the kernel regularizer would count."""
    if variant.kernel_regularizer != "none" and not network.regularized:
        raise UserError(
            f"{variant.name}: {variant.network} has no hidden layer's kernel for kernel_regularizer"
        )


def cohort_columns(
    members: Sequence[RunSpec], cohort: str, schedule: EpochSchedule, sums: Sums
) -> list[Metrics]:
    """The columns of one cohort (`train`, `val` or `test`) in the history table, for each member.

    `sums` are (S, len(SUMS), R).
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


def mean_loss(columns: Sequence[Metrics], monitored: str) -> float:
    """The mean of the genres' losses that are defined; NaN without any."""
    losses = [loss for metrics in columns if isinstance(loss := metrics[monitored], float)]
    defined = [loss for loss in losses if not math.isnan(loss)]
    return sum(defined) / len(defined) if defined else math.nan


def dead_heads(network: networks.Network, state: State) -> list[bool]:
    """For each head, whether any of its weights has become NaN: the model is dead."""
    weights = [to_host(w) for w in state.weights]
    if not any(np.isnan(w).any() for w in weights):
        return [False] * network.heads
    return [
        any(np.isnan(w).any() for w in network.head_weights(weights, head))
        for head in range(network.heads)
    ]


def checkpoint_writer(
    digest: str,
    epoch: int,
    updates: int,
    rate_state: learning_rate.RateState,
    state: State,
    best_weights: tuple[Tensor, ...],
) -> Callable[[Path], None]:
    """A function that writes the state after `epoch` to a path."""

    def save(path: Path) -> None:
        groups = [[to_host(t) for t in tensors] for tensors in (*state, best_weights)]
        save_checkpoint(path, Checkpoint(digest, epoch, updates, rate_state, *groups))

    return save
