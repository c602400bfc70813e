"""A fast slice of `benchmarks.calibration`: verdicts at 5 % are wrong about that often.

The limits are 6 % and 94 %, plus three simulation errors; the seeds are fixed.
"""

from __future__ import annotations

import pytest

from tests.support.calibration import ALLOWED, COVERED, Scenario, simulate

SCENARIOS = (
    Scenario(2, 1, 5),
    Scenario(6, 3, 3),
    Scenario(6, 3, 3, genre_spread=3),
    Scenario(6, 3, 3, noisy=3),
    Scenario(6, 3, 3, shared_by="all"),
    Scenario(6, 10, 2, noisy=3),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.label)
def test_equal_variants_are_called_different_at_the_stated_rate(scenario: Scenario) -> None:
    rates = simulate(scenario, 60)
    for name in ("row FP", "worst row", "any row", "cell FP", "check"):
        if rates[name].hits:
            assert rates[name].mean <= ALLOWED + 3 * max(rates[name].error, 0.01), name
    assert rates["coverage"].mean >= COVERED - 3 * max(rates["coverage"].error, 0.01)


def test_few_runs_give_no_verdict() -> None:
    rates = simulate(Scenario(2, 1, 2), 20)
    assert rates["row FP"].hits == []
    assert rates["cell FP"].hits == []
