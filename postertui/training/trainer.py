"""Trains runs, one after another in one process: a spec in, epochs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from postertui.runs.spec import RunSpec
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.training import learning_rate, networks
from postertui.training.backend import Tensor, devices, to_device, to_host
from postertui.training.blocks import HostRows, input_memory_limit, iter_blocks
from postertui.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from postertui.training.epoch_schedule import (
    EpochSchedule,
    class_weights,
    schedule_evaluation,
    schedule_training,
)
from postertui.training.features import ReportProgress
from postertui.training.initializers import shuffle
from postertui.training.inputs import Inputs, InputStore
from postertui.training.loop import Batches, Passes, State, compile_passes
from postertui.training.metrics import Metrics, cohort_metrics
from postertui.training.objective import HyperScalars
from postertui.training.vgg16 import load_convolutions

Labels = NDArray[np.uint8]
Sums = NDArray[np.floating]


class EpochResult(NamedTuple):
    """One finished epoch, counted from 1. `metrics` has the history table's columns.

    `save(path)` writes a checkpoint from which the run resumes with identical results; callable
    until the next epoch is requested.
    """

    epoch: int
    metrics: Metrics
    save: Callable[[Path], None]


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
    ) -> Iterator[EpochResult]:
        """Train `spec`, epoch by epoch, from the checkpoint `resume` if given.

        `notify` receives the progress of feature extraction. Raises `UserError` before the first
        epoch for a run that cannot be trained.
        """
        variant = spec.variant
        inputs = self._inputs.get(spec, notify)
        train_labels, test_labels = load_labels(spec, inputs)
        network, passes = self._compile(variant, inputs)
        train_hyper = hyper_scalars(spec, class_weights(train_labels), self._dtype)
        test_hyper = hyper_scalars(spec, (1.0, 1.0), self._dtype)
        test_schedule = schedule_evaluation(test_labels, variant.batch_size)

        checkpoint = (
            self._initial_checkpoint(spec, network)
            if resume is None
            else load_checkpoint(resume, spec.digest)
        )
        state = State(*(tuple(map(to_device, arrays)) for arrays in checkpoint[-3:]))
        first_epoch, updates, rate_state = (
            checkpoint.epoch + 1,
            checkpoint.updates,
            checkpoint.rate_state,
        )
        del checkpoint  # frees the host's copy of the state

        for epoch in range(first_epoch, variant.epochs + 1):
            if rate_state.stopped:
                return
            began = time.perf_counter()
            rate = learning_rate.learning_rate(variant, rate_state, epoch)
            train_schedule = schedule_training(
                shuffle(spec.entropy, epoch, len(train_labels)),
                train_labels,
                variant.batch_size,
                rate,
                updates,
                loss=variant.loss,
                mode=spec.mode,
            )
            state, train_sums = self._train_pass(
                passes, state, inputs.train, train_labels, train_schedule, train_hyper
            )
            test_sums = self._evaluation_pass(
                passes, state, inputs.test, test_labels, test_schedule, test_hyper
            )
            metrics = epoch_metrics(spec, train_schedule, train_sums, test_schedule, test_sums)
            test_loss = metrics["test_loss"]
            assert isinstance(test_loss, float)
            rate_state = learning_rate.after_epoch(variant, rate_state, test_loss)
            updates = train_schedule.updates
            metrics |= {
                "dead": has_nan_weights(state),
                "learning_rate": rate,
                "seconds": time.perf_counter() - began,
            }
            save = checkpoint_writer(spec, epoch, updates, rate_state, state)
            yield EpochResult(epoch, metrics, save)

    def _compile(self, variant: Variant, inputs: Inputs) -> CompiledNetwork:
        shape = tuple(inputs.train.shape[1:])
        key = (
            variant.network,
            variant.frozen_layers,
            variant.fc1,
            variant.fc2,
            variant.loss,
            shape,
        )
        if key not in self._compiled:
            network = networks.build(variant, inputs.first, shape, self._dtype)
            passes = compile_passes(network.model, variant.loss)
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
        return Checkpoint(spec.digest, 0, 0, rate_state, arrays, zeros, zeros)

    def _train_pass(
        self,
        passes: Passes,
        state: State,
        x: Tensor | HostRows,
        labels: Labels,
        schedule: EpochSchedule,
        hyper: HyperScalars,
    ) -> tuple[State, Sums]:
        sums = []
        for cohort, block in iter_blocks(x, labels, schedule):
            state, block_sums = passes.train(state, cohort, self._batches(block), hyper)
            sums.append(to_host(block_sums))
        return state, np.concatenate(sums)

    def _evaluation_pass(
        self,
        passes: Passes,
        state: State,
        x: Tensor | HostRows,
        labels: Labels,
        schedule: EpochSchedule,
        hyper: HyperScalars,
    ) -> Sums:
        sums = [
            to_host(passes.evaluate(state.weights, cohort, self._batches(block), hyper))
            for cohort, block in iter_blocks(x, labels, schedule)
        ]
        return np.concatenate(sums)

    def _batches(self, schedule: EpochSchedule) -> Batches:
        """The schedule on the device."""
        size, positives, weight, step_size = (
            to_device(values.astype(self._dtype))
            for values in (schedule.size, schedule.positives, schedule.weight, schedule.step_size)
        )
        rows, update = to_device(schedule.rows), to_device(schedule.update)
        return Batches(rows, size, positives, weight, step_size, update)


def load_labels(spec: RunSpec, inputs: Inputs) -> tuple[Labels, Labels]:
    """The genre's labels in training and test cohorts. Raises `UserError` where constant."""
    train = inputs.dataset.genre_labels(spec.genre, spec.train_cohorts)
    test = inputs.dataset.genre_labels(spec.genre, spec.test_cohorts)
    cohorts = ", ".join(map(str, spec.train_cohorts))
    for name, labels, rows in (
        ("training", train, inputs.train.shape[0]),
        ("test", test, inputs.test.shape[0]),
    ):
        if len(labels) != rows:
            raise UserError(
                f"{inputs.dataset.path}: {len(labels)} labels for {rows} {name} images; "
                "build the data again"
            )
    if not len(test):
        raise UserError(f"{inputs.dataset.path}: no poster in the test cohorts")
    if not train.any():
        raise UserError(
            f"{spec.genre}: no positive poster in training (cohorts {cohorts}); train on more "
            "cohorts or leave the genre out"
        )
    if train.all():
        raise UserError(
            f"{spec.genre}: every poster in training (cohorts {cohorts}) is positive; train on "
            "more cohorts or leave the genre out"
        )
    return train, test


def hyper_scalars(spec: RunSpec, weights: tuple[float, float], dtype: str) -> HyperScalars:
    """The run's scalars, on the device. `weights` are the class weights, (1, 1) in evaluation."""
    variant = spec.variant
    values = (
        variant.strength if variant.regularizer == "l1" else 0.0,
        variant.strength if variant.regularizer == "l2" else 0.0,
        *weights,
        1.0 if spec.mode == "published" else 0.0,
    )
    return HyperScalars(*(to_device(np.asarray(value, dtype)) for value in values))


def epoch_metrics(
    spec: RunSpec,
    train: EpochSchedule,
    train_sums: Sums,
    test: EpochSchedule,
    test_sums: Sums,
) -> Metrics:
    """Both cohorts' columns of the history table, and how many batches had no positive."""
    loss, mode = spec.variant.loss, spec.mode
    metrics: Metrics = {}
    for prefix, schedule, sums in (("train", train, train_sums), ("test", test, test_sums)):
        metrics |= cohort_metrics(
            prefix,
            sums,
            schedule.size,
            schedule.positives,
            schedule.weight,
            loss=loss,
            mode=mode,
        )
    metrics["empty_batches"] = int((train.positives == 0).sum())
    metrics["test_empty_batches"] = int((test.positives == 0).sum())
    return metrics


def has_nan_weights(state: State) -> bool:
    """Whether any weight has become NaN: the model is dead."""
    return any(np.isnan(to_host(w)).any() for w in state.weights)


def checkpoint_writer(
    spec: RunSpec, epoch: int, updates: int, rate_state: learning_rate.RateState, state: State
) -> Callable[[Path], None]:
    """A function that writes the state after `epoch` to a path."""

    def save(path: Path) -> None:
        groups: list[list[Tensor]] = [[to_host(t) for t in tensors] for tensors in state]
        save_checkpoint(path, Checkpoint(spec.digest, epoch, updates, rate_state, *groups))

    return save
