"""Small networks in float64 through the package's own compiled passes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from postertui.study import ALL_LAYERS, Mode, Variant
from postertui.training import networks
from postertui.training.backend import to_device, to_host
from postertui.training.epoch_schedule import (
    EpochSchedule,
    class_weights,
    schedule_evaluation,
    schedule_training,
)
from postertui.training.initializers import shuffle
from postertui.training.loop import Batches, Cohort, Passes, State, compile_passes, to_batches
from postertui.training.metrics import Metrics, cohort_metrics
from postertui.training.objective import HyperScalars
from postertui.training.trainable_network import Network

Vector = NDArray[np.float64]
FEATURES = 12


class Small:
    """A head of FC1 by FC2 units on `FEATURES` features, trained epoch by epoch."""

    _passes: ClassVar[dict[tuple[Any, ...], tuple[Network, Passes]]] = {}

    def __init__(self, variant: Variant, mode: Mode = "sound", seed: int = 0) -> None:
        self.variant, self.mode, self.seed = variant, mode, seed
        key = (
            variant.fc1,
            variant.fc2,
            variant.loss,
            variant.kernel_regularizer,
            variant.optimizer,
        )
        if key not in self._passes:
            network = networks.build(variant, ALL_LAYERS, (FEATURES,), "float64")
            self._passes[key] = network, compile_passes(network, variant)
        network, self.passes = self._passes[key]
        self.initial = [w.astype(np.float64) for w in network.draw_weights((seed,), {})]
        zeros = tuple(to_device(np.zeros_like(w)) for w in self.initial)
        self.state = State(tuple(map(to_device, self.initial)), zeros, zeros)
        self.updates = 0

    @property
    def weights(self) -> list[Vector]:
        return [to_host(w) for w in self.state.weights]

    def order(self, epoch: int, count: int) -> NDArray[np.int32]:
        return shuffle((self.seed,), epoch, count)

    def epoch(self, number: int, x: Vector, y: NDArray[np.uint8], rate: float) -> Metrics:
        """Train one epoch; its training metrics."""
        variant = self.variant
        plan = schedule_training(
            self.order(number, len(y)),
            y,
            variant.batch_size,
            rate,
            self.updates,
            loss=variant.loss,
            mode=self.mode,
            optimizer=variant.optimizer,
            weight_decay=variant.weight_decay,
        )
        self.updates = plan.updates
        cohort = Cohort(to_device(x), to_device(y[:, None]))
        self.state, sums = self.passes.train(
            self.state, cohort, batches(plan), self.hyper(class_weights(y))
        )
        return self._metrics("train", sums, plan)

    def test(self, x: Vector, y: NDArray[np.uint8]) -> Metrics:
        """The test metrics of the weights as they are."""
        plan = schedule_evaluation(y, self.variant.batch_size)
        cohort = Cohort(to_device(x), to_device(y[:, None]))
        sums, _ = self.passes.evaluate(
            self.state.weights, cohort, batches(plan), self.hyper((1.0, 1.0))
        )
        return self._metrics("test", sums, plan)

    def hyper(self, weights: tuple[float, float]) -> HyperScalars:
        v = self.variant
        l1, l2 = (v.strength if v.regularizer == kind else 0.0 for kind in ("l1", "l2"))
        values = (l1, l2, *weights, float(self.mode == "published"), v.kernel_strength)
        return HyperScalars(*(to_device(np.asarray(value, np.float64)) for value in values))

    def _metrics(self, prefix: str, sums: Any, plan: EpochSchedule) -> Metrics:
        return cohort_metrics(
            prefix,
            to_host(sums)[..., 0],
            plan.size,
            plan.positives,
            plan.weight,
            loss=self.variant.loss,
            mode=self.mode,
        )


def batches(plan: EpochSchedule) -> Batches:
    return to_batches(plan, "float64")


def posters(count: int, rate: float = 0.3, seed: int = 0) -> tuple[Vector, NDArray[np.uint8]]:
    """Features (count, FEATURES) and labels (count,) that have something to do with them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, FEATURES))
    scores = x @ rng.normal(size=FEATURES) + rng.normal(size=count)
    return x, (scores > np.quantile(scores, 1 - rate)).astype(np.uint8)
