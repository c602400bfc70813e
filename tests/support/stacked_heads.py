"""Heads of one shape trained at once, through the passes that train each of them alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postertui.data.dataset import Dataset
from postertui.runs.spec import RunSpec
from postertui.study import ALL_LAYERS, Variant
from postertui.training import networks
from postertui.training.backend import Tensor, jit, to_device, to_host
from postertui.training.epoch_schedule import (
    EpochSchedule,
    class_weights,
    schedule_evaluation,
    schedule_training,
)
from postertui.training.initializers import shuffle
from postertui.training.inputs import InputStore
from postertui.training.learning_rate import initial_state, learning_rate
from postertui.training.loop import Batches, Cohort, Passes, State, make_passes, to_batches
from postertui.training.objective import HyperScalars, hyper_scalars
from postertui.training.trainable_network import Network
from postertui.training.trainer import ignore_progress


def compile_stacked_passes(network: Network, variant: Variant) -> Passes:
    """The passes of R runs of one shape at once; JAX only, for TensorFlow's loops cannot be mapped.

    Every argument and result has a first axis of R, except a cohort's inputs, which all runs read.
    Each run's results equal its own up to the order in which a product sums.
    """
    import jax

    passes = make_passes(network, variant)
    in_axes = (0, Cohort(None, 0), 0, 0)
    train, evaluate = (jit(jax.vmap(f, in_axes=in_axes)) for f in passes)
    return Passes(train, evaluate)


def group_by_shape(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Runs of heads on frozen features that can be trained at once."""
    groups: dict[tuple[object, ...], list[RunSpec]] = {}
    for spec in specs:
        variant = spec.variant
        key = (variant.fc1, variant.fc2, variant.loss, variant.batch_size, variant.epochs)
        groups.setdefault(key, []).append(spec)
    return list(groups.values())


def train_together(
    dataset: Dataset, specs: Sequence[RunSpec], dtype: str = "float32"
) -> tuple[State, list[NDArray[np.floating]]]:
    """Train runs of one shape; their stacked state, and each epoch's training sums.

    The learning rate follows its schedule; nothing is monitored.
    """
    variant = specs[0].variant
    inputs = InputStore(None, 1 << 40).get(specs[0], ignore_progress)
    network = networks.build(variant, ALL_LAYERS, tuple(inputs.train.shape[1:]), dtype)
    passes = compile_stacked_passes(network, variant)
    drawn = [network.draw_weights(spec.entropy, {}) for spec in specs]
    weights = [np.stack(arrays).astype(dtype) for arrays in zip(*drawn, strict=True)]
    zeros = [np.zeros_like(array) for array in weights]
    state = State(*(tuple(map(to_device, arrays)) for arrays in (weights, zeros, zeros)))
    labels = [dataset.genre_labels(spec.genre, spec.train_cohorts) for spec in specs]
    test = [dataset.genre_labels(spec.genre, spec.test_cohorts) for spec in specs]
    hyper = _stack(
        HyperScalars,
        [hyper_scalars(s, class_weights(y), dtype) for s, y in zip(specs, labels, strict=True)],
    )
    plain = _stack(HyperScalars, [hyper_scalars(spec, (1.0, 1.0), dtype) for spec in specs])
    train_cohort = Cohort(inputs.train, to_device(np.stack(labels)[..., None]))
    test_cohort = Cohort(inputs.test, to_device(np.stack(test)[..., None]))
    evaluation = _stack(
        Batches, [to_batches(schedule_evaluation(y, variant.batch_size), dtype) for y in test]
    )
    updates = [0] * len(specs)
    history = []
    for epoch in range(1, variant.epochs + 1):
        schedules = [
            _schedule(spec, epoch, y, done)
            for spec, y, done in zip(specs, labels, updates, strict=True)
        ]
        batches = _stack(Batches, [to_batches(schedule, dtype) for schedule in schedules])
        state, sums = passes.train(state, train_cohort, batches, hyper)
        to_host(passes.evaluate(state.weights, test_cohort, evaluation, plain)[0])
        updates = [schedule.updates for schedule in schedules]
        history.append(to_host(sums))
    return state, history


def _schedule(spec: RunSpec, epoch: int, labels: NDArray[np.uint8], updates: int) -> EpochSchedule:
    variant = spec.variant
    return schedule_training(
        shuffle(spec.entropy, epoch, len(labels)),
        labels,
        variant.batch_size,
        learning_rate(variant, initial_state(variant), epoch),
        updates,
        loss=variant.loss,
        mode=spec.mode,
    )


def _stack(kind: Any, runs: Sequence[tuple[Tensor, ...]]) -> Any:
    """Tuples of tensors as one of that kind, with a first axis for the runs."""
    return kind(*(to_device(np.stack([to_host(x) for x in xs])) for xs in zip(*runs, strict=True)))
