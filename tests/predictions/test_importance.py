"""What a model loses where one of its inputs is another poster's."""

from __future__ import annotations

import numpy as np
import pytest

from postertui.predictions.importance import drop_of_average_precision
from postertui.predictions.ranking import rank
from postertui.predictions.scores import average_precision


def test_the_drop_is_of_average_precision_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(500) < 0.3).astype(np.uint8)
    signal = labels + rng.normal(0, 0.5, 500)
    p = (1 / (1 + np.exp(-signal))).astype(np.float32)
    permuted = np.stack([rng.permutation(p) for _ in range(10)])
    result = drop_of_average_precision(labels, p, permuted)
    whole = average_precision(rank(labels, p))
    assert result["ap"] == whole
    expected = np.mean([whole - average_precision(rank(labels, q)) for q in permuted])
    assert result["drop"] == pytest.approx(expected)
    assert 0.3 < result["low"] < result["drop"] < result["high"] < 0.8


def test_an_input_that_changes_nothing_drops_nothing() -> None:
    labels = np.array([0, 1, 0, 1], np.uint8)
    p = np.array([0.1, 0.9, 0.6, 0.5], np.float32)
    result = drop_of_average_precision(labels, p, np.stack([p, p]))
    assert (result["drop"], result["low"], result["high"]) == (0, 0, 0)
