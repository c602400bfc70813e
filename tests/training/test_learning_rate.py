"""Learning rates epoch by epoch, as the published variants and Keras' callbacks have them."""

from __future__ import annotations

import math

import pytest

from postertui.study import Constant, Decay, Plateau, Schedule, Variant, load_study
from postertui.training.learning_rate import after_epoch, initial_state, learning_rate


def rates(variant: Variant, losses: list[float]) -> list[float]:
    """The rate of each epoch, given the test losses that they end with."""
    progress, used = initial_state(variant), []
    for epoch, loss in enumerate(losses, 1):
        used.append(learning_rate(variant, progress, epoch))
        progress = after_epoch(variant, progress, epoch, loss)
    return used


def variant(schedule: Schedule, rate: float = 0.001) -> Variant:
    return Variant(name="x", schedule=schedule, learning_rate=rate)


def test_constant() -> None:
    assert rates(variant(Constant()), [1.0] * 5) == [0.001] * 5


def test_lr_decay_holds_a_tenth_for_six_epochs_then_halves_it_by_the_epochs_number() -> None:
    published = load_study("milestone4").variants["lr-decay"]
    halved = [0.1 / 2**e for e in (6, 7, 8, 9)]
    assert rates(published, [1.0] * 10) == pytest.approx([0.1] * 6 + halved, rel=1e-15)


@pytest.mark.parametrize("name", ["reduce-lr", "reduce-lr-100"])
def test_reduce_lr_as_published_never_fires(name: str) -> None:
    published = load_study("milestone4").variants[name]
    assert isinstance(published.schedule, Plateau)
    assert published.schedule.min_rate == published.learning_rate
    assert set(rates(published, [1.0] * 100)) == {0.001}


def test_a_sensible_plateau_fires_and_stops_at_its_minimum() -> None:
    sensible = variant(Plateau(factor=0.2, patience=1, min_rate=1e-5))
    losses = [1.0, 0.9, 0.9, 0.8, 0.85, 0.86, 0.87, 0.88]
    expected = [1e-3, 1e-3, 1e-3, 2e-4, 2e-4, 4e-5, 1e-5, 1e-5]
    assert rates(sensible, losses) == pytest.approx(expected, rel=1e-12)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("patience", [1, 2, 3])
def test_a_plateau_is_that_of_keras(patience: int) -> None:
    import keras
    import numpy as np

    losses = np.round(np.random.default_rng(patience).random(40), 2).tolist()
    losses[10] = math.nan
    schedule = Plateau(factor=0.5, patience=patience, min_rate=1e-5, min_delta=0.01)
    ours = rates(variant(schedule), losses)

    layer = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    layer.compile(keras.optimizers.SGD(0.001), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(
        factor=0.5, patience=patience, min_lr=1e-5, min_delta=0.01
    )
    callback.set_model(layer)
    callback.on_train_begin()
    theirs = []
    for epoch, loss in enumerate(losses):
        theirs.append(float(layer.optimizer.learning_rate))
        callback.on_epoch_end(epoch, {"val_loss": loss})
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_early_stopping_waits_for_its_patience_and_takes_nan_for_no_progress() -> None:
    patient = Variant(name="x", early_stopping=2)
    progress = initial_state(patient)
    stopped = []
    for epoch, loss in enumerate([1.0, 0.9, 0.95, 0.8, math.nan, 0.81, 0.7], 1):
        progress = after_epoch(patient, progress, epoch, loss)
        stopped.append(progress.stopped)
        if progress.stopped:
            break
    assert stopped == [False, False, False, False, False, True]
    assert progress.best_epoch == 4


def test_without_early_stopping_nothing_stops() -> None:
    never = Variant(name="x")
    progress = initial_state(never)
    for epoch in range(1, 101):
        progress = after_epoch(never, progress, epoch, 1.0)
    assert not progress.stopped


def test_decay_may_hold_for_no_epoch() -> None:
    assert rates(variant(Decay(hold=0, factor=0.1), 1.0), [1.0] * 3) == pytest.approx(
        [1, 0.1, 0.01]
    )
