"""Every poster gets the mean of the models that never saw it."""

from __future__ import annotations

import numpy as np
import pytest

from postertui.predictions.loading import RunPredictions
from postertui.predictions.out_of_fold import merge_runs, merge_unseen
from postertui.predictions.table import Predictions


def rotation(cohort: int, shift: float) -> Predictions:
    """A run's predictions for the four posters of a cohort."""
    ids = np.arange(4) * 10 + cohort
    p = np.full(4, 0.2 + shift, np.float32)
    return Predictions(ids, np.full(4, cohort, np.uint8), (ids % 3 == 0).astype(np.uint8), p)


def test_rotations_and_seeds_give_each_poster_one_probability() -> None:
    merged = merge_unseen([rotation(2, 0.0), rotation(3, 0.1), rotation(2, 0.2)])
    assert merged.ids.tolist() == sorted(merged.ids.tolist())
    assert len(merged) == 8
    by_cohort = {c: merged.of_cohorts([c]).probabilities for c in (2, 3)}
    np.testing.assert_allclose(by_cohort[2], 0.3, rtol=1e-6)
    np.testing.assert_allclose(by_cohort[3], 0.3, rtol=1e-6)
    assert (merged.labels == (merged.ids % 3 == 0)).all()
    assert len(merge_unseen([])) == 0


def test_runs_of_rotations_become_one_that_saw_none_of_its_posters() -> None:
    def run(cohort: int, shift: float, variant: str = "base") -> RunPredictions:
        validation = rotation(cohort + 1, shift)
        return RunPredictions(
            f"{variant}{cohort}", variant, "Drama", 0, validation, rotation(cohort, shift)
        )

    dead = run(4, float("nan"))
    merged = merge_runs([run(2, 0.0), run(3, 0.1), dead])
    assert merged.test_cohorts == (2, 3)
    assert merged.run == "base2"
    assert not merged.is_dead
    assert merged.validation is not None
    assert set(merged.validation.cohorts.tolist()) == {3, 4}
    with pytest.raises(ValueError, match="one variant and genre"):
        merge_runs([run(2, 0.0), run(3, 0.1, "bce")])
