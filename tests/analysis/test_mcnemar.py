"""McNemar's test of two models' decisions, with rotations and without."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from postertui.analysis.mcnemar import mcnemar_by_genre
from postertui.predictions.loading import RunPredictions
from postertui.predictions.table import Predictions
from tests.support.predictions import make_predictions


def run(variant: str, cohort: int, *, seed: int = 0, skill: float = 0.2) -> RunPredictions:
    """A run that tests on 300 posters, other ones for each cohort."""
    number = 10 * seed + cohort + 100 * (variant == "base")
    made = make_predictions(450, seed=number, skill=skill).of_cohorts([2])
    test = Predictions(
        made.ids * 10 + cohort, made.cohorts * 0 + cohort, made.labels, made.probabilities
    )
    name = f"comedy--{variant}--s{seed}--{cohort}"
    return RunPredictions(name, variant, "Comedy", seed, None, test)


def only_one_is_right(pairs: list[tuple[RunPredictions, RunPredictions]]) -> tuple[int, int]:
    counts = np.zeros(2, dtype=int)
    for a, b in pairs:
        right = [(m.test.probabilities >= 0.5) == m.test.labels.astype(bool) for m in (a, b)]
        counts += (right[0] & ~right[1]).sum(), (~right[0] & right[1]).sum()
    return int(counts[0]), int(counts[1])


def test_it_is_scipys_binomial_test_of_the_posters_that_one_of_two_gets_right() -> None:
    a, b = run("bce", 2), run("base", 2, skill=0.1)
    test = mcnemar_by_genre([a, b], "base")["bce", "Comedy"]
    first, second = only_one_is_right([(a, b)])
    assert (test.only_first, test.only_second, test.posters) == (first, second, 300)
    assert test.p == pytest.approx(stats.binomtest(first, first + second).pvalue)
    twin = dataclasses.replace(b, variant="twin")
    assert mcnemar_by_genre([twin, b], "base")["twin", "Comedy"].p == 1


def test_every_rotation_counts_with_the_lowest_seed_that_both_have_there() -> None:
    rotations = (2, 3, 4)
    variant = [run("bce", c, seed=s) for c in rotations for s in (0, 1)]
    base = [run("base", c, seed=s) for c in rotations for s in (0, 1)]
    base = [r for r in base if (r.seed, r.test_cohorts) != (0, (3,))]
    test = mcnemar_by_genre([*variant, *base], "base")["bce", "Comedy"]
    pairs = [
        (
            next(r for r in variant if r.seed == seed and r.test_cohorts == (cohort,)),
            next(r for r in base if r.seed == seed and r.test_cohorts == (cohort,)),
        )
        for cohort, seed in ((2, 0), (3, 1), (4, 0))
    ]
    assert (test.only_first, test.only_second) == only_one_is_right(pairs)
    assert (test.posters, test.rotations) == (900, 3)


def test_a_poster_of_two_rotations_is_decided_once_by_its_mean_probability() -> None:
    first, second = run("bce", 2), run("bce", 2, seed=5)
    # Another rotation whose test cohorts overlap: the same posters and one more cohort.
    more = run("bce", 3)
    both = Predictions(
        np.concatenate([second.test.ids, more.test.ids]),
        np.concatenate([second.test.cohorts, more.test.cohorts]),
        np.concatenate([second.test.labels, more.test.labels]),
        np.concatenate([second.test.probabilities, more.test.probabilities]),
    )
    variant = [first, dataclasses.replace(second, test=both, seed=0)]
    base = [
        dataclasses.replace(
            r,
            variant="base",
            test=dataclasses.replace(r.test, probabilities=np.zeros_like(r.test.probabilities)),
        )
        for r in variant
    ]
    test = mcnemar_by_genre([*variant, *base], "base")["bce", "Comedy"]
    mean = (first.test.probabilities + second.test.probabilities) / 2 >= 0.5
    yes = np.concatenate([mean, more.test.probabilities >= 0.5])
    labels = np.concatenate([first.test.labels, more.test.labels]).astype(bool)
    assert (test.only_first, test.only_second) == (
        int((yes & labels).sum()),
        int((yes & ~labels).sum()),
    )
    assert test.posters == 600


def test_a_dead_model_has_no_part() -> None:
    dead = run("bce", 2)
    dead.test.probabilities[:] = np.nan
    models = [dead, run("bce", 2, seed=1), run("base", 2), run("base", 2, seed=1)]
    tests = mcnemar_by_genre(models, "base")
    assert (tests["bce", "Comedy"].only_first, tests["bce", "Comedy"].only_second) == (
        only_one_is_right([(models[1], models[3])])
    )
    assert mcnemar_by_genre([dead, models[2]], "base") == {}
