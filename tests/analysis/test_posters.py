"""The posters' error, against the delta method, SciPy and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from postertui.analysis.comparison_errors import Over
from postertui.analysis.comparison_rows import compare_values
from postertui.analysis.noise import estimate_noise
from postertui.analysis.posters import (
    METRICS_OF_POSTERS,
    ModelPredictions,
    errors_from_counts,
    resample_posters,
)
from postertui.analysis.values import run_values
from tests.support.analysis_tables import soft, stack
from tests.support.calibration import frame

POSTERS = 1500


def predictions(
    name: str, skill: float, rng: np.random.Generator, genre: str = "Comedy", seed: int = 0
) -> ModelPredictions:
    labels = (np.random.default_rng(7).random(POSTERS) < 0.3).astype(np.uint8)
    p = np.clip(0.3 + skill * labels + rng.normal(0, 0.15, POSTERS), 0, 1).astype(np.float32)
    return ModelPredictions(name, genre, seed, np.arange(POSTERS), labels, p)


def influence(model: ModelPredictions) -> np.ndarray:
    """Each poster's part in the soft F's error, by the delta method."""
    p, y = model.probabilities.astype(float), model.labels
    top, bottom = 2 * p * y, p + y
    return np.asarray((top - top.sum() / bottom.sum() * bottom) / bottom.sum())


def test_the_bootstrap_is_paired_and_agrees_with_the_delta_method() -> None:
    rng = np.random.default_rng(0)
    a, b = predictions("a", 0.2, rng), predictions("b", 0.1, rng)
    errors = resample_posters([a, b], resamples=4000)
    assert errors.posters == POSTERS
    paired = math.sqrt(((influence(a) - influence(b)) ** 2).sum())
    apart = math.sqrt((influence(a) ** 2).sum() + (influence(b) ** 2).sum())
    assert errors.cell("a", "b", "Comedy") == pytest.approx(paired, rel=0.05)
    assert paired < 0.9 * apart
    assert math.isnan(errors.cell("a", "c", "Comedy"))


def test_seeds_are_averaged_and_posters_in_another_order_are_found() -> None:
    rng = np.random.default_rng(1)
    runs = [predictions("a", 0.2, rng, seed=s) for s in range(2)] + [predictions("b", 0.1, rng)]
    order = rng.permutation(POSTERS)
    shuffled = [
        ModelPredictions(
            m.name, m.genre, m.seed, m.ids[order], m.labels[order], m.probabilities[order]
        )
        for m in runs
    ]
    errors, again = resample_posters(runs), resample_posters(shuffled)
    assert errors.scores.keys() == {("a", "Comedy"), ("b", "Comedy")}
    assert again.cell("a", "b", "Comedy") == pytest.approx(
        errors.cell("a", "b", "Comedy"), rel=1e-3
    )


@pytest.mark.parametrize("metric", METRICS_OF_POSTERS)
def test_every_metric_has_an_error(metric: str) -> None:
    rng = np.random.default_rng(2)
    errors = resample_posters([predictions("a", 0.2, rng), predictions("b", 0.1, rng)], metric, 200)
    assert 0.001 < errors.cell("a", "b", "Comedy") < 0.1


def test_the_interval_covers_what_other_posters_would_say() -> None:
    """The bootstrap's error is the spread of the difference over fresh cohorts."""
    rng = np.random.default_rng(3)

    def fresh(skill: float, labels: np.ndarray, name: str) -> ModelPredictions:
        p = np.clip(0.3 + skill * labels + rng.normal(0, 0.15, labels.size), 0, 1)
        ids = np.arange(labels.size)
        return ModelPredictions(name, "g", 0, ids, labels, p.astype(np.float32))

    def soft_f(model: ModelPredictions) -> float:
        p, y = model.probabilities, model.labels
        return float(2 * (p * y).sum() / (p.sum() + y.sum()))

    differences, errors = [], []
    for cohort in range(150):
        labels = (rng.random(600) < 0.2).astype(np.uint8)
        a, b = fresh(0.2, labels, "a"), fresh(0.15, labels, "b")
        differences.append(soft_f(a) - soft_f(b))
        errors.append(resample_posters([a, b], resamples=200, seed=cohort).cell("a", "b", "g"))
    assert np.mean(errors) == pytest.approx(np.std(differences, ddof=1), rel=0.2)


def test_errors_of_runs_and_posters_add_up() -> None:
    rng = np.random.default_rng(4)
    values = frame(rng.normal(0.3, 0.01, (2, 1, 6)))
    models = [predictions(name, skill, rng, "g00") for name, skill in (("v00", 0.1), ("v01", 0.2))]
    posters = resample_posters(models)

    def half_width(over: Over) -> float:
        _, cells = compare_values(
            values,
            [("v01", "v00")],
            estimate_noise(values, {}),
            over=over,
            posters=posters,
        )
        return float((cells["high"] - cells["low"]).item()) / 2

    of_posters = half_width("posters") / stats.norm.ppf(0.975)
    of_runs = half_width("runs") / stats.t.ppf(0.975, 5)
    assert of_posters == pytest.approx(posters.cell("v01", "v00", "g00"))
    total = math.hypot(of_posters, of_runs)
    df = 5 * (total / of_runs) ** 4
    assert half_width("both") == pytest.approx(stats.t.ppf(0.975, df) * total)


def test_counts_give_an_error_where_no_predictions_were_kept() -> None:
    counts = {"test_tp": 60, "test_fp": 90, "test_fn": 60, "test_tn": 290}
    table = stack(*(soft(n, "Comedy", 0, 120 / 270, **counts) for n in ("base", "b")))
    errors = errors_from_counts(table, run_values(table, "test_fscore_soft"))
    assert 0.02 < errors.cell("base", "b", "Comedy") < 0.08
    assert (
        errors_from_counts(table.drop("test_tp"), run_values(table, "test_fscore_soft")).variances
        == {}
    )


def test_a_table_without_either_has_no_error() -> None:
    assert math.isnan(resample_posters([]).row("a", "b", ["Comedy"]))
