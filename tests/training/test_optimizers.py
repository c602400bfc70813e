"""Optimizers, kernel regularizer and dropout against Keras' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.study import Variant
from postertui.training.backend import to_device, to_host
from postertui.training.optimizers import make_step, step_sizes
from postertui.training.trainer import Trainer
from tests.support.training_data import make_spec, without_time
from tests.support.xla_passes import Small, posters

THEIRS: dict[str, Any] = {
    "adam": lambda: keras.optimizers.Adam(0.01, epsilon=1e-8),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-8),
    "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.8),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
}


@pytest.mark.parametrize("name", THEIRS)
def test_five_updates_are_keras_own(name: str) -> None:
    rng = np.random.default_rng(0)
    variable = keras.Variable(rng.normal(size=(3, 4)), dtype="float64")
    gradients = [to_device(rng.normal(size=(3, 4))) for _ in range(5)]
    variant = Variant(name="x", optimizer=name, momentum=0.8, weight_decay=0.1)  # type: ignore[arg-type]
    step = make_step(variant)
    zeros = np.zeros((3, 4))
    state = tuple(map(to_device, (variable.numpy(), zeros, zeros)))
    sizes = step_sizes(variant.optimizer, 0.01, np.arange(1, 6))
    optimizer = THEIRS[name]()
    for size, gradient in zip(sizes, gradients, strict=True):
        arguments = [to_device(np.asarray(v)) for v in (size, 0.01 * 0.1, True)]
        state = step(*state, gradient, *arguments)
        optimizer.apply([gradient], [variable])
    # Keras keeps hyper-parameters in float32.
    np.testing.assert_allclose(to_host(state[0]), variable.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", THEIRS)
def test_an_update_that_is_skipped_changes_nothing(name: str) -> None:
    step = make_step(Variant(name="x", optimizer=name))  # type: ignore[arg-type]
    before = [to_device(np.full(2, value)) for value in (1.0, 2.0, 3.0)]
    gradient = to_device(np.full(2, np.nan))
    after = step(*before, gradient, *(to_device(np.asarray(v)) for v in (0.1, 0.1, False)))
    for a, b in zip(after, before, strict=True):
        np.testing.assert_array_equal(to_host(a), to_host(b))


@pytest.mark.parametrize(("kind", "norm"), [("l1", np.abs), ("l2", np.square)])
def test_the_kernel_regularizer_adds_to_the_loss_of_both_cohorts(kind: str, norm: Any) -> None:
    x, y = posters(100)
    fields: dict[str, Any] = {"fc1": 8, "fc2": 4, "batch_size": 50}
    plain = Small(Variant(name="a", **fields))
    regularized = Small(Variant(name="b", kernel_regularizer=kind, kernel_strength=0.1, **fields))
    kernels = [w for w in plain.initial[:4] if w.ndim == 2]
    penalty = 0.1 * sum(norm(kernel).sum() for kernel in kernels)
    difference = regularized.test(x, y)["test_loss"] - plain.test(x, y)["test_loss"]  # type: ignore[operator]
    assert difference == pytest.approx(penalty)
    regularized.epoch(1, x, y, 0.01)
    plain.epoch(1, x, y, 0.01)
    sizes = [sum(norm(w).sum() for w in small.weights[:3:2]) for small in (regularized, plain)]
    assert sizes[0] < sizes[1]


def test_dropout_is_in_training_alone_and_repeats_itself(
    data: Dataset, warm: Trainer, tmp_path: Path
) -> None:
    spec = make_spec(data, epochs=4, dropout=0.5, fc1=32, fc2=16)
    plain = make_spec(data, epochs=4, fc1=32, fc2=16)
    histories = [[without_time(e.metrics) for e in warm.epochs(s)] for s in (spec, spec, plain)]
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]
    resumed = []
    for epoch in warm.epochs(spec):
        if epoch.epoch == 2:
            epoch.save(tmp_path / "checkpoint")
            break
    resumed = [without_time(e.metrics) for e in Trainer().epochs(spec, tmp_path / "checkpoint")]
    assert resumed == histories[0][2:]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
def test_a_run_learns_with_each_and_goes_on_from_a_checkpoint(
    optimizer: str, data: Dataset, warm: Trainer, tmp_path: Path
) -> None:
    rate = 0.01 if optimizer == "sgd" else 0.001
    spec = make_spec(data, epochs=6, fc1=32, optimizer=optimizer, learning_rate=rate)
    history = []
    for epoch in warm.epochs(spec):
        history.append(without_time(epoch.metrics))
        if epoch.epoch == 3:
            epoch.save(tmp_path / "checkpoint")
    assert float(history[-1]["train_loss"]) < float(history[0]["train_loss"])
    resumed = [without_time(e.metrics) for e in warm.epochs(spec, tmp_path / "checkpoint")]
    assert resumed == history[3:]
