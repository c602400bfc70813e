"""A batch without a positive has F = 0/0: deadly as published, passed over when sound."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from postertui.study import Variant
from tests.support.xla_passes import Small, Vector, posters

VARIANT = Variant(name="v", fc1=16, fc2=8, batch_size=32)


def rare() -> tuple[Vector, NDArray[np.uint8]]:
    """320 posters in ten batches, four of them of the genre: most batches are empty."""
    x, _ = posters(320)
    y = np.zeros(320, np.uint8)
    y[:4] = 1
    return x, y


def test_as_published_the_run_dies_and_is_still_recorded() -> None:
    x, y = rare()
    small = Small(VARIANT, "published")
    first = small.epoch(1, x, y, 1e-3)
    assert all(np.isnan(w).all() for w in small.weights[:1])
    assert math.isnan(float(first["train_fscore"] or 0))
    test = small.test(x, y)
    assert test["test_accuracy"] == 0
    assert math.isnan(float(test["test_fscore"] or 0))
    assert test["test_fscore_soft"] is None
    assert test["test_tp"] is None
    second = small.epoch(2, x, y, 1e-3)
    assert second["train_accuracy"] == 0


def test_sound_skips_the_update_and_averages_over_batches_with_positives() -> None:
    x, y = rare()
    small = Small(VARIANT, "sound")
    metrics = small.epoch(1, x, y, 1e-3)
    order = small.order(1, 320)
    with_positive = int(y[order].reshape(10, 32).any(axis=1).sum())
    assert with_positive < 10
    assert small.updates == with_positive
    assert all(np.isfinite(w).all() for w in small.weights)
    assert 0 < float(metrics["train_fscore"] or 0) < 1
    test = small.test(x, y)
    # All four are in the first batch, so the mean is that batch's.
    alone = small.test(x[:32], y[:32])
    assert test["test_fscore"] == alone["test_fscore"]
    assert 0 < float(test["test_fscore_soft"] or 0) < 1


def test_sound_moves_nothing_at_an_empty_batch() -> None:
    x, _ = posters(320)
    small = Small(VARIANT, "sound")
    y = np.zeros(320, np.uint8)
    y[small.order(1, 320)[0]] = 1
    small.epoch(1, x, y, 1e-3)
    only_first = Small(VARIANT, "sound")
    rows = small.order(1, 320)[:32]
    # The same first batch, in the same order, and no other; the class weights are the cohort's.
    from postertui.training.backend import to_device
    from postertui.training.epoch_schedule import class_weights, schedule_training
    from postertui.training.loop import Cohort
    from tests.support.xla_passes import batches

    plan = schedule_training(rows, y, 32, 1e-3, 0, loss="fscore", mode="sound")
    only_first.state, _ = only_first.passes.train(
        only_first.state,
        Cohort(to_device(x), to_device(y[:, None])),
        batches(plan),
        only_first.hyper(class_weights(y)),
    )
    # XLA may round a loop of one batch otherwise; each of nine updates would move by 1e-3.
    for ours, theirs in zip(small.weights, only_first.weights, strict=True):
        assert np.abs(ours - theirs).max() < 1e-4


def test_a_test_cohort_with_one_empty_batch_has_no_published_f() -> None:
    x, y = posters(320, 0.3)
    y[32:64] = 0
    published, sound = Small(VARIANT, "published"), Small(VARIANT, "sound")
    assert math.isnan(float(published.test(x, y)["test_fscore"] or 0))
    assert 0 < float(sound.test(x, y)["test_fscore"] or 0) < 1
    for small in (published, sound):
        assert small.test(x, y)["test_fscore_soft"] is not None
