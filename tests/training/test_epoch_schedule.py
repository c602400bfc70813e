"""Which rows in which batch, class weights, Adam's step numbers, skipped updates."""

from __future__ import annotations

import numpy as np
import pytest

from postertui.training.adam import step_sizes
from postertui.training.epoch_schedule import class_weights, schedule_evaluation, schedule_training

LABELS = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 1], np.uint8)
ORDER = np.array([9, 1, 0, 2, 3, 4, 5, 6, 7, 8], np.int32)


def test_every_row_comes_once_in_order_and_the_last_batch_is_short() -> None:
    plan = schedule_training(ORDER, LABELS, 4, 0.1, 0, loss="fscore", mode="sound")
    assert plan.size.tolist() == [4, 4, 2]
    rows = [r for batch, n in zip(plan.rows, plan.size, strict=True) for r in batch[:n]]
    assert rows == ORDER.tolist()
    assert plan.rows[2, 2:].tolist() == [0, 0]
    assert plan.positives.tolist() == [2, 0, 1]


def test_a_batchs_weight_is_its_share_of_positives_over_m_and_of_others_over_the_rest() -> None:
    """w̄ = p/m + (1-p)/(1-m), so 2 on average: it balances nothing."""
    plan = schedule_training(ORDER, LABELS, 4, 0.1, 0, loss="fscore", mode="sound")
    m = 0.3
    shares = [2 / 4, 0, 1 / 2]
    assert plan.weight == pytest.approx([p / m + (1 - p) / (1 - m) for p in shares])
    assert np.average(plan.weight, weights=plan.size) == pytest.approx(2)
    assert class_weights(LABELS) == pytest.approx((1 / m, 1 / (1 - m)))


def test_sound_skips_a_batch_without_a_positive_and_adam_does_not_count_it() -> None:
    plan = schedule_training(ORDER, LABELS, 4, 0.1, 7, loss="fscore", mode="sound")
    assert plan.update.tolist() == [True, False, True]
    assert plan.updates == 9
    assert plan.step_size[[0, 2]] == pytest.approx(step_sizes(0.1, np.array([8, 9])))


@pytest.mark.parametrize(("loss", "mode"), [("fscore", "published"), ("bce", "sound")])
def test_otherwise_every_batch_updates(loss: str, mode: str) -> None:
    plan = schedule_training(ORDER, LABELS, 4, 0.1, 7, loss=loss, mode=mode)  # type: ignore[arg-type]
    assert plan.update.all()
    assert plan.updates == 10


def test_evaluation_keeps_the_order_and_weighs_nothing() -> None:
    plan = schedule_evaluation(LABELS, 4)
    assert plan.rows[:2].ravel().tolist() == list(range(8))
    assert plan.weight.tolist() == [1, 1, 1]
    assert not plan.update.any()


def test_the_published_cohorts_make_84_and_85_batches() -> None:
    for rows, batches in ((21490, 84), (21651, 85)):
        assert len(schedule_evaluation(np.zeros(rows, np.uint8), 256).size) == batches
