"""Heads of one shape trained together: many runs' small matrix products as one batched product.

On an accelerator a head of 256 and 256 units leaves most of the device idle: its products are tiny
and there are hundreds of runs. Here the weights of R runs are stacked along a new first axis, so
that one launch does the work of R. Nothing flows between the runs: the loss that is differentiated
is the sum of their losses, whose gradient with respect to one run's weights is that run's own.

Each run keeps what it has when it is trained alone: initial weights, shuffles, class weights,
learning rate, metrics, checkpoint. Results equal `Trainer`'s up to the order in which a product
sums, which a batched product may choose otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from keras import ops
from numpy.typing import NDArray

from postertui.runs.spec import RunSpec
from postertui.study import ALL_LAYERS, Variant
from postertui.system.errors import UserError
from postertui.training import adam, learning_rate, networks
from postertui.training.backend import Tensor, jit, to_device, to_host, value_and_grad
from postertui.training.blocks import HostRows, input_memory_limit
from postertui.training.checkpoint import Checkpoint, save_checkpoint
from postertui.training.epoch_schedule import (
    EpochSchedule,
    class_weights,
    schedule_training,
)
from postertui.training.features import ReportProgress
from postertui.training.initializers import shuffle
from postertui.training.inputs import InputStore
from postertui.training.loop import State
from postertui.training.objective import CLIP, SUMS, HyperScalars, cross_entropy_loss, fscore_loss
from postertui.training.trainer import (
    EpochResult,
    HeldOutCohort,
    Labels,
    cohort_columns,
    hyper_scalars,
    ignore_progress,
    load_labels,
)


class StackedBatches(NamedTuple):
    """The schedules of R runs on the device: S batches of B rows each.

    `rows` (S, R, B); `size` (S,), which all runs share; `positives`, `weight`, `step_size`,
    `update` (S, R). In evaluation all runs read the same rows, and `rows` is (S, 1, B).
    """

    rows: Tensor
    size: Tensor
    positives: Tensor
    weight: Tensor
    step_size: Tensor
    update: Tensor


class StackedPasses(NamedTuple):
    """Compiled passes over inputs x (n, A) and labels y (R, n); sums are (S, len(SUMS), R)."""

    train: Callable[[State, Tensor, Tensor, StackedBatches, HyperScalars], tuple[State, Tensor]]
    evaluate: Callable[[tuple[Tensor, ...], Tensor, Tensor, StackedBatches, HyperScalars], Tensor]


def batch_key(spec: RunSpec) -> tuple[object, ...] | None:
    """Equal for runs that can be trained together; None for one whose network is no head, or that
    has a validation cohort."""
    variant = spec.variant
    if variant.network != "vgg16" or variant.frozen_layers != ALL_LAYERS:
        return None
    if spec.val_cohorts or variant.restore_best or not is_plain_head(variant):
        return None
    return (
        variant.fc1,
        variant.fc2,
        variant.loss,
        variant.batch_size,
        spec.data_fingerprint,
        spec.weights.digest,
        spec.train_cohorts,
        spec.test_cohorts,
    )


def is_plain_head(variant: Variant) -> bool:
    """Whether the variant trains as those of 2017: Adam, no dropout, all posters as they are."""
    return (
        variant.optimizer == "adam"
        and not variant.dropout
        and variant.kernel_regularizer == "none"
        and not variant.needs_mirrored
        and not variant.trainable_layers
        and not variant.train_from
        and variant.balance == "none"
        and not variant.code
        and not variant.needs_details
        and variant.model == "network"
    )


def group_by_shape(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """The runs that can be trained together, each other run as a group of its own."""
    groups: dict[object, list[RunSpec]] = {}
    for spec in specs:
        key = batch_key(spec)
        groups.setdefault(spec.run if key is None else key, []).append(spec)
    return list(groups.values())


class _RunState:
    """What one of the runs has beside its slice of the stacked weights."""

    def __init__(self, spec: RunSpec, train_labels: Labels, held_out: list[HeldOutCohort]) -> None:
        self.spec = spec
        self.train_labels = train_labels
        [test] = held_out
        self.test_labels, self.test_schedule = test.labels, test.schedule
        self.rate_state = learning_rate.initial_state(spec.variant)
        self.updates = 0
        self.is_active = True

    def schedule(self, epoch: int, rate: float) -> EpochSchedule:
        variant = self.spec.variant
        return schedule_training(
            shuffle(self.spec.entropy, epoch, len(self.train_labels)),
            self.train_labels,
            variant.batch_size,
            rate,
            self.updates,
            loss=variant.loss,
            mode=self.spec.mode,
        )


class BatchedTrainer:
    """Trains groups of runs that have one `batch_key`; see `Trainer` for the parameters."""

    def __init__(
        self,
        features_root: Path | None = None,
        dtype: str = "float32",
        max_input_bytes: int | None = None,
    ) -> None:
        self._inputs = InputStore(features_root, max_input_bytes or input_memory_limit())
        self._dtype = dtype
        self._compiled: dict[str, StackedPasses] = {}
        self._cancelled: set[str] = set()

    def cancel(self, run: str) -> None:
        """Train this run no further; the others are not affected."""
        self._cancelled.add(run)

    def epochs(
        self, specs: Sequence[RunSpec], notify: ReportProgress = ignore_progress
    ) -> Iterator[dict[str, EpochResult]]:
        """Train `specs` together, epoch by epoch.

        Yields
        ------
        dict
            For each run that is still trained its finished epoch, by the run's name. The runs'
            `seconds` are equal shares of the epoch's.

        Raises
        ------
        UserError
            Before the first epoch, for a run that cannot be trained, or not with the others.
        """
        if len({batch_key(spec) for spec in specs}) != 1 or batch_key(specs[0]) is None:
            raise UserError("only heads of one shape, on the same data, are trained together")
        inputs = self._inputs.get(specs[0], notify)
        if isinstance(inputs.train, HostRows) or isinstance(inputs.test, HostRows):
            raise UserError("the features do not fit on the device; train the runs one by one")
        runs = [_RunState(spec, *load_labels(spec, inputs)) for spec in specs]
        variant = specs[0].variant
        network = networks.build(variant, inputs.first, tuple(inputs.train.shape[1:]), self._dtype)
        drawn = zip(*(network.draw_weights(spec.entropy, {}) for spec in specs), strict=True)
        weights = [np.stack(arrays).astype(self._dtype) for arrays in drawn]
        zeros = [np.zeros_like(array) for array in weights]
        state = State(*(tuple(map(to_device, arrays)) for arrays in (weights, zeros, zeros)))
        train_y = self._stack([run.train_labels for run in runs])
        test_y = self._stack([run.test_labels for run in runs])
        train_hyper = self._hyper([(run.spec, class_weights(run.train_labels)) for run in runs])
        test_hyper = self._hyper([(run.spec, (1.0, 1.0)) for run in runs])
        test_batches = self._batches([run.test_schedule for run in runs], shared_rows=True)
        passes = self._passes(variant.loss)

        for epoch in range(1, max(spec.variant.epochs for spec in specs) + 1):
            for run in runs:
                run.is_active = run.is_active and not (
                    run.rate_state.stopped
                    or epoch > run.spec.variant.epochs
                    or run.spec.run in self._cancelled
                )
            if not any(run.is_active for run in runs):
                return
            began = time.perf_counter()
            rates = [learning_rate.learning_rate(r.spec.variant, r.rate_state, epoch) for r in runs]
            schedules = [run.schedule(epoch, rate) for run, rate in zip(runs, rates, strict=True)]
            batches = self._batches(schedules, active=[run.is_active for run in runs])
            state, sums = passes.train(state, inputs.train, train_y, batches, train_hyper)
            train_sums = to_host(sums)
            test_sums = to_host(
                passes.evaluate(state.weights, inputs.test, test_y, test_batches, test_hyper)
            )
            dead = _runs_with_nan(state)
            seconds = (time.perf_counter() - began) / sum(run.is_active for run in runs)
            results = {}
            for number, (run, rate) in enumerate(zip(runs, rates, strict=True)):
                if not run.is_active:
                    continue
                schedule = schedules[number]
                metrics = cohort_columns(run.spec, "train", schedule, train_sums[:, :, number])
                metrics |= cohort_columns(
                    run.spec, "test", run.test_schedule, test_sums[:, :, number]
                )
                test_loss = metrics["test_loss"]
                assert isinstance(test_loss, float)
                run.rate_state = learning_rate.after_epoch(
                    run.spec.variant, run.rate_state, epoch, test_loss
                )
                run.updates = schedule.updates
                metrics |= {
                    "dead": bool(dead[number]),
                    "learning_rate": rate,
                    "seconds": seconds,
                }
                save = _checkpoint_writer(run, epoch, number, state)
                results[run.spec.run] = EpochResult(epoch, metrics, save)
            yield results

    def _stack(self, labels: list[Labels]) -> Tensor:
        return to_device(np.stack(labels).astype(self._dtype))

    def _hyper(self, runs: list[tuple[RunSpec, tuple[float, float]]]) -> HyperScalars:
        scalars = [hyper_scalars(spec, weights, self._dtype) for spec, weights in runs]
        return HyperScalars(
            *(to_device(np.stack([to_host(x) for x in v])) for v in zip(*scalars, strict=True))
        )

    def _batches(
        self,
        schedules: list[EpochSchedule],
        *,
        active: list[bool] | None = None,
        shared_rows: bool = False,
    ) -> StackedBatches:
        """The schedules on the device; runs that are not `active` update nothing."""

        def stack(name: str, dtype: str) -> Tensor:
            columns = [getattr(schedule, name) for schedule in schedules]
            return to_device(np.stack(columns, axis=1).astype(dtype))

        rows = [schedules[0].rows] if shared_rows else [schedule.rows for schedule in schedules]
        update = np.stack([schedule.update for schedule in schedules], axis=1)
        if active is not None:
            update &= np.array(active)
        return StackedBatches(
            to_device(np.stack(rows, axis=1)),
            to_device(schedules[0].size.astype(self._dtype)),
            stack("positives", self._dtype),
            stack("weight", self._dtype),
            stack("step_size", self._dtype),
            to_device(update),
        )

    def _passes(self, loss: str) -> StackedPasses:
        if loss not in self._compiled:
            self._compiled[loss] = compile_stacked_passes(loss)
        return self._compiled[loss]


def compile_stacked_passes(loss: str) -> StackedPasses:
    """Training and evaluation passes of stacked heads, as `loop.compile_passes` for one."""

    def train(
        state: State, x: Tensor, y: Tensor, batches: StackedBatches, hyper: HyperScalars
    ) -> tuple[State, Tensor]:
        def train_batch(i: Tensor, carry: tuple[State, Tensor]) -> tuple[State, Tensor]:
            (weights, m, v), table = carry
            inputs, labels, present = _gather(x, y, batches, i)

            def objective(weights: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
                sums = stacked_sums(*predict(weights, inputs), labels, present, hyper)
                if loss == "bce":
                    losses = cross_entropy_loss(sums, batches.size[i])
                else:
                    losses = fscore_loss(sums, batches.positives[i], batches.weight[i], hyper)
                return ops.sum(losses), sums

            sums, gradients = value_and_grad(objective, weights)
            stepped = [
                adam.apply_gradient(
                    *tensors,
                    _per_run(batches.step_size[i], tensors[0]),
                    _per_run(batches.update[i], tensors[0]),
                )
                for tensors in zip(weights, m, v, gradients, strict=True)
            ]
            weights, m, v = zip(*stepped, strict=True)
            return State(weights, m, v), _put(table, i, sums)

        table = _empty_table(batches, y)
        result: tuple[State, Tensor] = ops.fori_loop(
            0, batches.rows.shape[0], train_batch, (state, table)
        )
        return result

    def evaluate(
        weights: tuple[Tensor, ...],
        x: Tensor,
        y: Tensor,
        batches: StackedBatches,
        hyper: HyperScalars,
    ) -> Tensor:
        def evaluate_batch(i: Tensor, carry: tuple[Tensor]) -> tuple[Tensor]:
            inputs, labels, present = _gather(x, y, batches, i)
            sums = stacked_sums(*predict(weights, inputs), labels, present, hyper)
            return (_put(carry[0], i, sums),)

        carry = (_empty_table(batches, y),)
        return ops.fori_loop(0, batches.rows.shape[0], evaluate_batch, carry)[0]

    return StackedPasses(jit(train), jit(evaluate))


def predict(weights: tuple[Tensor, ...], x: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (R, B) and the second layer's activities (R, B, FC2) of R heads.

    `weights` are those of `networks.head`, each with a first axis of R; x is (R, B, A), or
    (1, B, A) where all heads read the same rows.
    """
    kernel1, bias1, kernel2, bias2, kernel3, bias3 = weights
    h1 = ops.relu(ops.matmul(x, kernel1) + bias1[:, None, :])
    h2 = ops.relu(ops.matmul(h1, kernel2) + bias2[:, None, :])
    logits = ops.matmul(h2, kernel3) + bias3[:, None, :]
    return ops.sigmoid(logits)[..., 0], h2


def stacked_sums(
    p: Tensor, activities: Tensor, y: Tensor, present: Tensor, hyper: HyperScalars
) -> Tensor:
    """`objective.batch_sums` of R runs, (len(SUMS), R): p and y are (R, B), `present` (1, B)."""
    yes = present * ops.cast(p > 0.5, p.dtype)
    no = present * ops.cast(p <= 0.5, p.dtype)
    clipped = ops.clip(p, CLIP, 1 - CLIP)
    positive, negative = hyper.positive[:, None], hyper.negative[:, None]
    cross_entropy = -(positive * y * ops.log(clipped) + negative * (1 - y) * ops.log(1 - clipped))
    l1, l2 = hyper.l1[:, None, None], hyper.l2[:, None, None]
    penalties = present[..., None] * (l1 * ops.abs(activities) + l2 * ops.square(activities))
    return ops.stack(
        [
            ops.sum(present * y * p, axis=1),
            ops.sum(present * p, axis=1),
            ops.sum(yes * y, axis=1),
            ops.sum(yes, axis=1),
            ops.sum(no, axis=1),
            ops.sum(present * cross_entropy, axis=1),
            ops.sum(penalties, axis=(1, 2)),
        ]
    )


def _gather(
    x: Tensor, y: Tensor, batches: StackedBatches, i: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch `i`: inputs (R or 1, B, A), labels (R, B), and a 1 per row that is no padding."""
    rows = batches.rows[i]
    inputs = ops.cast(ops.take(x, rows, axis=0), y.dtype)
    if rows.shape[0] == 1:
        labels = ops.take(y, rows[0], axis=1)
    else:
        labels = ops.take_along_axis(y, rows, axis=1)
    number = ops.expand_dims(ops.arange(rows.shape[1]), 0)
    present = ops.cast(number < ops.cast(batches.size[i], number.dtype), y.dtype)
    return inputs, labels, present


def _per_run(values: Tensor, tensor: Tensor) -> Tensor:
    """`values` (R,) in the form that scales `tensor` (R, …) run by run."""
    return ops.reshape(values, (-1, *[1] * (len(tensor.shape) - 1)))


def _empty_table(batches: StackedBatches, y: Tensor) -> Tensor:
    return ops.zeros((batches.rows.shape[0], len(SUMS), y.shape[0]), y.dtype)


def _put(table: Tensor, i: Tensor, sums: Tensor) -> Tensor:
    return ops.slice_update(table, (i, 0, 0), ops.expand_dims(sums, 0))


def _runs_with_nan(state: State) -> NDArray[np.bool_]:
    """Which runs have a weight that is NaN."""
    flags = [
        np.isnan(to_host(weight)).reshape(weight.shape[0], -1).any(axis=1)
        for weight in state.weights
    ]
    return np.asarray(np.any(flags, axis=0))


def _checkpoint_writer(
    run: _RunState, epoch: int, number: int, state: State
) -> Callable[[Path], None]:
    """A function that writes the run's slice of the state: a checkpoint like any other."""
    updates, rate_state = run.updates, run.rate_state

    def save(path: Path) -> None:
        weights, m, v = [[to_host(tensor[number]) for tensor in tensors] for tensors in state]
        checkpoint = Checkpoint(run.spec.digest, epoch, updates, rate_state, weights, m, v, [])
        save_checkpoint(path, checkpoint)

    return save
