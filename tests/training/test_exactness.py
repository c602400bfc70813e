"""The compiled loop against the objective, its gradient and Adam derived by hand, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from postertui.study import Variant
from postertui.training.epoch_schedule import class_weights
from tests.support.derivation import Head, Vector, soft_f
from tests.support.xla_passes import Small, posters

SMALL = {"fc1": 16, "fc2": 8, "batch_size": 64}
OBJECTIVES = {
    "base": {"regularizer": "l1", "strength": 1e-3},
    "l2": {"regularizer": "l2", "strength": 1e-3},
    "no-reg": {"regularizer": "none", "strength": 0.0},
    "bce": {"loss": "bce", "regularizer": "l1", "strength": 1e-3},
}


def derived(small: Small, x: Vector, y: Vector, rates: list[float]) -> Head:
    """The same training by hand, one epoch per rate."""
    head = Head([w.copy() for w in small.initial])
    variant = small.variant
    positive, negative = class_weights(y.astype(np.uint8))
    for epoch, rate in enumerate(rates, 1):
        order = small.order(epoch, len(y))
        for start in range(0, len(y), variant.batch_size):
            rows = order[start : start + variant.batch_size]
            head.step(
                x[rows],
                y[rows],
                loss=variant.loss,
                regularizer=variant.regularizer,
                strength=variant.strength,
                learning_rate=rate,
                class_weights=(positive, negative),
            )
    return head


def largest_difference(ours: list[Vector], theirs: list[Vector]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_first_updates_are_the_derivations(objective: str) -> None:
    variant = Variant(name="v", **SMALL, **OBJECTIVES[objective])  # type: ignore[arg-type]
    x, y = posters(200)
    small = Small(variant, "published")
    small.epoch(1, x, y, 1e-3)
    small.epoch(2, x, y, 5e-4)
    by_hand = derived(small, x, y.astype(float), [1e-3, 5e-4])
    assert by_hand.t == small.updates == 8
    assert largest_difference(small.weights, by_hand.weights) <= 1e-12
    assert largest_difference(small.weights, small.initial) > 1e-3


@pytest.mark.parametrize("batch_size", [64, 128, 256])
def test_the_activity_term_is_a_sum_over_the_batch_not_a_mean(batch_size: int) -> None:
    variant = Variant(name="v", fc1=16, fc2=8, batch_size=batch_size, strength=1e-2)
    x, y = posters(512)
    small = Small(variant, "published")
    small.epoch(1, x, y, 1e-3)
    by_hand = derived(small, x, y.astype(float), [1e-3])
    assert largest_difference(small.weights, by_hand.weights) <= 1e-12

    p, h, _ = by_hand.predict(x)
    sizes = [batch_size] * (512 // batch_size)
    parts = np.split(np.arange(512), np.cumsum(sizes)[:-1])
    losses = [1 - soft_f(p[r], y[r].astype(float)) + 1e-2 * np.abs(h[r]).sum() for r in parts]
    assert small.test(x, y)["test_loss"] == pytest.approx(np.mean(losses), rel=1e-12)


def test_epoch_metrics_are_weighted_by_batch_sizes() -> None:
    """300 rows in batches of 64: the last has 44, and counts 44/300."""
    variant = Variant(name="v", **SMALL)  # type: ignore[arg-type]
    x, y = posters(300)
    small = Small(variant, "published")
    small.epoch(1, x, y, 1e-3)
    head = Head(small.weights)
    p, h, _ = head.predict(x)
    truth = y.astype(float)
    parts = [slice(s, min(s + 64, 300)) for s in range(0, 300, 64)]
    sizes = np.array([s.stop - s.start for s in parts])
    assert sizes[-1] == 44
    scores = np.array([soft_f(p[s], truth[s]) for s in parts])
    penalties = np.array([1e-5 * np.abs(h[s]).sum() for s in parts])
    metrics = small.test(x, y)
    assert metrics["test_fscore"] == pytest.approx((scores * sizes).sum() / 300, rel=1e-12)
    assert metrics["test_loss"] == pytest.approx(
        ((1 - scores + penalties) * sizes).sum() / 300, rel=1e-12
    )
    assert metrics["test_accuracy"] == pytest.approx(((p > 0.5) == (y == 1)).mean(), rel=1e-12)
    assert metrics["test_fscore"] != pytest.approx(scores.mean(), rel=1e-6)


def test_training_metrics_are_those_of_the_moving_weights() -> None:
    variant = Variant(name="v", **SMALL)  # type: ignore[arg-type]
    x, y = posters(300)
    small = Small(variant, "published")
    metrics = small.epoch(1, x, y, 1e-3)
    head = Head([w.copy() for w in small.initial])
    truth, order = y.astype(float), small.order(1, 300)
    positive, negative = class_weights(y)
    scores, losses, right, sizes = [], [], [], []
    for start in range(0, 300, 64):
        rows = order[start : start + 64]
        p, h, _ = head.predict(x[rows])
        f, share = soft_f(p, truth[rows]), truth[rows].mean()
        weight = share * positive + (1 - share) * negative
        scores.append(f)
        losses.append((1 - f) * weight + 1e-5 * np.abs(h).sum())
        right.append(((p > 0.5) == (truth[rows] > 0.5)).sum())
        sizes.append(len(rows))
        head.step(
            x[rows],
            truth[rows],
            loss="fscore",
            regularizer="l1",
            strength=1e-5,
            learning_rate=1e-3,
            class_weights=(positive, negative),
        )
    assert metrics["train_fscore"] == pytest.approx(np.average(scores, weights=sizes), rel=1e-12)
    assert metrics["train_loss"] == pytest.approx(np.average(losses, weights=sizes), rel=1e-12)
    assert metrics["train_accuracy"] == pytest.approx(sum(right) / 300, rel=1e-12)


def test_pooled_metrics_are_over_the_whole_cohort() -> None:
    variant = Variant(name="v", **SMALL)  # type: ignore[arg-type]
    x, y = posters(300)
    small = Small(variant)
    small.epoch(1, x, y, 1e-2)
    p, _, _ = Head(small.weights).predict(x)
    yes, truth = p > 0.5, y == 1
    metrics = small.test(x, y)
    tp, fp = (yes & truth).sum(), (yes & ~truth).sum()
    fn, tn = (~yes & truth).sum(), (~yes & ~truth).sum()
    counts = [metrics[f"test_{c}"] for c in ("tp", "fp", "fn", "tn")]
    assert counts == [tp, fp, fn, tn]
    assert metrics["test_fscore_hard"] == pytest.approx(2 * tp / (2 * tp + fp + fn), rel=1e-12)
    assert metrics["test_fscore_soft"] == pytest.approx(
        2 * p[truth].sum() / (p.sum() + truth.sum()), rel=1e-9
    )


def test_class_weights_double_the_loss_and_balance_nothing() -> None:
    y = np.array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0], np.uint8)
    positive, negative = class_weights(y)
    assert [positive, negative] == pytest.approx([5.0, 1.25])
    share = y.mean()
    assert share * positive + (1 - share) * negative == pytest.approx(2.0)
