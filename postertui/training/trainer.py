"""One run after another in a warm process: data in, epochs out."""

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
from postertui.training import networks, schedule
from postertui.training.backend import Tensor, to_device, to_host
from postertui.training.blocks import blocks, room
from postertui.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from postertui.training.features import Notify
from postertui.training.initializers import shuffle
from postertui.training.inputs import Inputs, InputStore
from postertui.training.loop import Batches, Passes, State, compile_passes
from postertui.training.metrics import Metrics, cohort_metrics
from postertui.training.objective import Hyper
from postertui.training.plan import Plan, class_weights, plan_evaluation, plan_training
from postertui.training.vgg16 import load_convolutions

Labels = NDArray[np.uint8]


class EpochResult(NamedTuple):
    """One finished epoch, counted from 1. `metrics` has the history table's columns.

    `save(path)` writes a checkpoint from which the run goes on as if nothing had happened; it may
    be called until the next epoch is asked for.
    """

    epoch: int
    metrics: Metrics
    save: Callable[[Path], None]


class Program(NamedTuple):
    """A network and its compiled passes: what runs of one shape share."""

    network: networks.Network
    passes: Passes


def ignore(cohort: int, done: int, total: int) -> None:
    """Tell nobody about the progress."""


class Trainer:
    """Trains runs one after another, keeping what the next one can use.

    Kept are the compiled passes of each shape and the inputs of the last runs. `features_root`
    holds the cached features; by default that is `features/` in the data folder. Inputs of more
    than `room_for_inputs` bytes stay on disk and come to the device in blocks.
    """

    def __init__(
        self,
        features_root: Path | None = None,
        dtype: str = "float32",
        room_for_inputs: int | None = None,
    ) -> None:
        self._inputs = InputStore(features_root, room_for_inputs or room())
        self._dtype = dtype
        self._programs: dict[tuple[object, ...], Program] = {}

    def epochs(
        self, spec: RunSpec, resume: Path | None = None, notify: Notify = ignore
    ) -> Iterator[EpochResult]:
        """Train `spec`, epoch by epoch; go on after the checkpoint `resume` if there is one.

        `notify` hears how feature extraction proceeds. Raises `UserError` for a run that cannot be
        trained, before its first epoch.
        """
        inputs = self._inputs.get(spec, notify)
        variant = spec.variant
        train_labels, test_labels = labels_of(spec, inputs)
        program = self._program(variant, inputs)
        hyper = hyper_of(spec, class_weights(train_labels), self._dtype)
        test_hyper = hyper_of(spec, (1.0, 1.0), self._dtype)
        test_plan = plan_evaluation(test_labels, variant.batch_size)
        saved = (
            self._begin(spec, program) if resume is None else load_checkpoint(resume, spec.digest)
        )
        state = State(*(tuple(map(to_device, arrays)) for arrays in saved[-3:]))
        done, updates, progress = saved.epoch, saved.updates, saved.progress
        del saved  # the host's copy of what is on the device now
        for epoch in range(done + 1, variant.epochs + 1):
            if progress.stopped:
                return
            began = time.perf_counter()
            rate = schedule.learning_rate(variant, progress, epoch)
            plan = plan_training(
                shuffle(spec.seed, epoch, len(train_labels)),
                train_labels,
                variant.batch_size,
                rate,
                updates,
                loss=variant.loss,
                mode=spec.mode,
            )
            train_sums, test_sums = [], []
            for cohort, part in blocks(inputs.train, train_labels, plan):
                state, sums = program.passes.train(state, cohort, self._batches(part), hyper)
                train_sums.append(to_host(sums))
            for cohort, part in blocks(inputs.test, test_labels, test_plan):
                batches = self._batches(part)
                sums = program.passes.evaluate(state.weights, cohort, batches, test_hyper)
                test_sums.append(to_host(sums))
            metrics = epoch_metrics(
                spec, plan, np.concatenate(train_sums), test_plan, np.concatenate(test_sums)
            )
            test_loss = metrics["test_loss"]
            assert isinstance(test_loss, float)
            progress = schedule.after_epoch(variant, progress, test_loss)
            updates = plan.updates
            metrics |= {
                "dead": is_dead(state),
                "learning_rate": rate,
                "seconds": time.perf_counter() - began,
            }
            yield EpochResult(epoch, metrics, saver(spec, epoch, updates, progress, state))

    def _program(self, variant: Variant, inputs: Inputs) -> Program:
        shape = tuple(inputs.train.shape[1:])
        key = (
            variant.network,
            variant.frozen_layers,
            variant.fc1,
            variant.fc2,
            variant.loss,
            shape,
        )
        if key not in self._programs:
            network = networks.build(variant, inputs.first, shape, self._dtype)
            self._programs[key] = Program(network, compile_passes(network.model, variant.loss))
        return self._programs[key]

    def _begin(self, spec: RunSpec, program: Program) -> Checkpoint:
        needs = any(isinstance(start, tuple) for start in program.network.starts)
        convolutions = load_convolutions(spec.weights) if needs else {}
        weights = program.network.initial(spec.seed, convolutions)
        arrays = [w.astype(self._dtype) for w in weights]
        zeros = [np.zeros_like(w) for w in arrays]
        progress = schedule.begin(spec.variant)
        return Checkpoint(spec.digest, 0, 0, progress, arrays, zeros, zeros)

    def _batches(self, plan: Plan) -> Batches:
        size, positives, weight, step_size = (
            to_device(values.astype(self._dtype))
            for values in (plan.size, plan.positives, plan.weight, plan.step_size)
        )
        rows, update = to_device(plan.rows), to_device(plan.update)
        return Batches(rows, size, positives, weight, step_size, update)


def labels_of(spec: RunSpec, inputs: Inputs) -> tuple[Labels, Labels]:
    """The genre's labels in training and test cohorts. Raises `UserError` if they teach nothing."""
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
            f"{spec.genre}: no poster of it in training (cohorts {cohorts}), so nothing to learn; "
            "train on more cohorts or leave the genre out"
        )
    if train.all():
        raise UserError(
            f"{spec.genre}: every poster in training (cohorts {cohorts}) is one, so nothing to "
            "learn; train on more cohorts or leave the genre out"
        )
    return train, test


def hyper_of(spec: RunSpec, weights: tuple[float, float], dtype: str) -> Hyper:
    """The run's scalars, on the device. `weights` are the classes', of which testing has none."""
    variant = spec.variant
    values = (
        variant.strength if variant.regularizer == "l1" else 0.0,
        variant.strength if variant.regularizer == "l2" else 0.0,
        *weights,
        1.0 if spec.mode == "published" else 0.0,
    )
    return Hyper(*(to_device(np.asarray(value, dtype)) for value in values))


def epoch_metrics(
    spec: RunSpec,
    train: Plan,
    train_sums: NDArray[np.floating],
    test: Plan,
    test_sums: NDArray[np.floating],
) -> Metrics:
    """Both cohorts' columns of the history table, and how many batches had no positive."""
    loss, mode = spec.variant.loss, spec.mode
    metrics: Metrics = {}
    for prefix, plan, sums in (("train", train, train_sums), ("test", test, test_sums)):
        metrics |= cohort_metrics(
            prefix, sums, plan.size, plan.positives, plan.weight, loss=loss, mode=mode
        )
    metrics["empty_batches"] = int((train.positives == 0).sum())
    metrics["test_empty_batches"] = int((test.positives == 0).sum())
    return metrics


def is_dead(state: State) -> bool:
    """Whether any weight has become NaN."""
    return any(np.isnan(to_host(w)).any() for w in state.weights)


def saver(
    spec: RunSpec, epoch: int, updates: int, progress: schedule.Progress, state: State
) -> Callable[[Path], None]:
    """A function that writes the state after `epoch` to a path."""

    def save(path: Path) -> None:
        groups: list[list[Tensor]] = [[to_host(t) for t in tensors] for tensors in state]
        save_checkpoint(path, Checkpoint(spec.digest, epoch, updates, progress, *groups))

    return save
