"""Made-up predictions: a third of the posters validates, the others test."""

from __future__ import annotations

import numpy as np

from postertui.predictions.table import Predictions


def make_predictions(
    posters: int, *, seed: int = 1, base_rate: float = 0.3, skill: float = 0.15
) -> Predictions:
    """Posters of cohorts 1 (validation) and 2 (test); labels are the same for every seed.

    `skill` is by how much a positive's probability is higher in the mean.
    """
    posters_of = np.random.default_rng(2017)
    labels = (posters_of.random(posters) < base_rate).astype(np.uint8)
    ids = np.cumsum(posters_of.integers(1, 300, posters)).astype(np.int64)
    cohorts = np.where(np.arange(posters) < posters // 3, 1, 2).astype(np.uint8)
    noise = np.random.default_rng(seed).normal(0.35, 0.15, posters)
    p = np.clip(noise + skill * labels, 0.001, 0.999).astype(np.float32)
    return Predictions(ids, cohorts, labels, p)
