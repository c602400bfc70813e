"""From batches' sums to the history table's columns, in both modes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from postertui.training.metrics import cohort_metrics
from postertui.training.objective import SUMS

#: Batches of 4, 4 and 2 rows with 2, 0 and 1 positives, predictions between.
P = [np.array([0.9, 0.6, 0.4, 0.1]), np.array([0.2, 0.7, 0.1, 0.3]), np.array([0.3, 0.8])]
Y = [np.array([1.0, 0, 1, 0]), np.zeros(4), np.array([1.0, 0])]
SIZES, POSITIVES = np.array([4, 4, 2]), np.array([2, 0, 1])
WEIGHTS = np.array([2.0, 1.5, 2.5])


def table(penalty: float = 0.25, p: list[Any] = P) -> Any:
    rows = []
    for ps, ys in zip(p, Y, strict=True):
        entropy = -(ys * np.log(ps) + (1 - ys) * np.log(1 - ps)).sum()
        yes = ps > 0.5
        row = {
            "soft_tp": (ps * ys).sum(),
            "soft_yes": ps.sum(),
            "hard_tp": (yes * ys).sum(),
            "hard_yes": yes.sum(),
            "hard_no": (ps <= 0.5).sum(),
            "cross_entropy": entropy,
            "penalty": penalty,
        }
        rows.append([row[name] for name in SUMS])
    return np.array(rows)


def metrics(mode: str = "sound", loss: str = "fscore", **more: Any) -> dict[str, Any]:
    return cohort_metrics(
        "test",
        table(**more),
        SIZES,
        POSITIVES,
        WEIGHTS,
        loss=loss,
        mode=mode,  # type: ignore[arg-type]
    )


F1, F3 = 2 * 1.3 / (2.0 + 2), 2 * 0.3 / (1.1 + 1)


def test_sound_averages_over_the_batches_that_have_positives_by_size() -> None:
    values = metrics()
    assert values["test_fscore"] == pytest.approx((4 * F1 + 2 * F3) / 6)
    losses = (1 - F1) * 2 + 0.25, (1 - F3) * 2.5 + 0.25
    assert values["test_loss"] == pytest.approx((4 * losses[0] + 2 * losses[1]) / 6)


def test_published_has_no_f_score_and_no_loss_where_one_batch_has_no_positive() -> None:
    values = metrics("published")
    assert math.isnan(values["test_fscore"])
    assert math.isnan(values["test_loss"])


@pytest.mark.parametrize("mode", ["sound", "published"])
def test_accuracy_and_pooled_metrics_are_of_the_whole_cohort_in_both_modes(mode: str) -> None:
    values = metrics(mode)
    assert values["test_accuracy"] == pytest.approx(5 / 10)
    counts = [values[f"test_{name}"] for name in ("tp", "fp", "fn", "tn")]
    assert counts == [1, 3, 2, 4]
    assert all(type(count) is int for count in counts)
    assert values["test_fscore_soft"] == pytest.approx(2 * 1.6 / (4.4 + 3))
    assert values["test_fscore_hard"] == pytest.approx(2 * 1 / (4 + 3))


@pytest.mark.parametrize("mode", ["sound", "published"])
def test_cross_entropy_is_defined_in_a_batch_without_positives(mode: str) -> None:
    values = metrics(mode, "bce")
    entropies = table()[:, SUMS.index("cross_entropy")]
    expected = np.average(entropies / SIZES + 0.25, weights=SIZES)
    assert values["test_loss"] == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["sound", "published"])
def test_a_dead_models_decisions_are_never_right_and_its_pooled_metrics_undefined(
    mode: str,
) -> None:
    values = metrics(mode, p=[np.full(4, np.nan), np.full(4, np.nan), np.full(2, np.nan)])
    assert values["test_accuracy"] == 0
    assert math.isnan(values["test_fscore"])
    names = ("fscore_soft", "fscore_hard", "tp", "fp", "fn", "tn")
    assert [values[f"test_{name}"] for name in names] == [None] * 6
