"""Planned seeds against simulated comparisons and SciPy's noncentral t."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from postertui.analysis.comparison_rows import compare_values
from postertui.analysis.noise import estimate_noise
from postertui.analysis.planning import (
    Question,
    detectable_difference,
    genre_variances,
    plan_seeds,
    power_of,
    seeds_needed,
)
from tests.support.calibration import Scenario, frame


def test_the_power_is_that_of_simulated_paired_t_tests() -> None:
    rng = np.random.default_rng(0)
    question = Question(0.01)
    d = 0.01 + rng.normal(0, 0.011 * math.sqrt(2), (4000, 12))
    p = stats.ttest_1samp(d, 0, axis=1).pvalue
    assert power_of(question, [0.011**2], 12) == pytest.approx((p < 0.05).mean(), abs=0.025)


def test_seeds_for_a_difference_of_one_hundredth() -> None:
    """About 20 for one genre at .011, 2 or 3 a genre over ten genres, ten times that at .035."""
    assert seeds_needed(Question(0.01), [0.011**2]) == pytest.approx(20, abs=3)
    assert seeds_needed(Question(0.01), [0.011**2] * 10) in (2, 3)
    assert seeds_needed(Question(0.01, comparisons=27), [0.011**2] * 10) in (4, 5, 6)
    assert seeds_needed(Question(0.01), [0.035**2]) == pytest.approx(195, abs=15)
    assert seeds_needed(Question(0.0001), [0.035**2]) is None


def test_the_detectable_difference_needs_just_that_many_seeds() -> None:
    difference = detectable_difference([0.01**2] * 3, 5, comparisons=4)
    assert difference is not None
    assert seeds_needed(Question(difference, comparisons=4), [0.01**2] * 3) == 5
    assert detectable_difference([0.01**2], 2) is None


def test_a_plan_has_every_genre_and_their_mean() -> None:
    rng = np.random.default_rng(1)
    noise = estimate_noise(frame(rng.normal(0.3, 0.01, (3, 2, 8))), {})
    assert genre_variances(noise, ["g00"])["g00"] == pytest.approx(0.0001, rel=0.6)
    rows = plan_seeds(
        noise, ["g00", "g01"], Question(0.01, comparisons=2), variants=3, seconds_per_run=36
    )
    assert rows["genre"].to_list() == ["g00", "g01", "(mean of all)"]
    *alone, mean = rows["seeds_corrected"].to_list()
    assert mean < min(alone)
    assert rows["runs"].to_list() == [3 * n for n in alone] + [3 * 2 * mean]
    assert rows["hours"][0] == pytest.approx(3 * alone[0] / 100)


def test_a_noisier_variant_has_a_row_of_its_own_whose_power_holds() -> None:
    rng = np.random.default_rng(4)
    scenario = Scenario(6, 3, 12, noisy=3)
    noise = estimate_noise(scenario.study(rng), {})
    rows = plan_seeds(noise, ["g00", "g01", "g02"], Question(0.02), variants=6, reference="v00")
    last = rows.row(-1, named=True)
    assert last["genre"] == "(mean, v05)"
    assert last["seeds"] > rows.row(-2, named=True)["seeds"]
    rejections = []
    for _ in range(150):
        values = Scenario(2, 3, last["seeds"], noisy=3).study(rng, 0.02)
        compared, _ = compare_values(
            values, [("v01", "v00")], estimate_noise(values, {}), shared_seeds=False
        )
        rejections.append(compared["p"].item() < 0.05)
    assert 0.7 < np.mean(rejections) < 0.95
