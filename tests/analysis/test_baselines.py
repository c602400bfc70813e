"""Bars and margins, against scikit-learn's definitions by hand, scipy and the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from postertui.analysis.baselines import (
    baselines,
    fscore_error,
    genre_verdicts,
    margin_error,
    margins,
    rate_interval,
)
from postertui.data.base_rates import always_yes_f
from tests.support.analysis_tables import history, soft, stack
from tests.support.study_2017 import Study2017, every_study

METRIC = "test_fscore_soft"


@given(st.integers(1, 500), st.integers(0, 5000))
def test_always_yes_is_the_f_of_predicting_one_everywhere(positives: int, others: int) -> None:
    tp, fp = positives, others
    assert always_yes_f(positives / (positives + others)) == pytest.approx(2 * tp / (2 * tp + fp))


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_interval_of_a_share_is_scipys_wilson(seen: int, more: int) -> None:
    expected = stats.binomtest(seen, seen + more).proportion_ci(method="wilson")
    assert rate_interval(seen / (seen + more), seen + more) == pytest.approx(
        (expected.low, expected.high), abs=1e-9
    )


def resampled(cells: tuple[int, ...], statistic: str) -> float:
    """The bootstrap's standard error: posters drawn again, 20,000 times."""
    n = sum(cells)
    draws = np.random.default_rng(0).multinomial(n, np.array(cells) / n, 20_000)
    tp, fp, fn, _ = draws.T
    f = 2 * tp / (2 * tp + fp + fn)
    return float(np.std(f if statistic == "f" else f - 2 * (tp + fn) / (n + tp + fn)))


@pytest.mark.parametrize("cells", [(300, 700, 200, 3800), (50, 100, 150, 2700), (400, 900, 30, 90)])
def test_sampling_errors_are_the_bootstraps(cells: tuple[int, int, int, int]) -> None:
    tp, fp, fn, _ = cells
    f = 2 * tp / (2 * tp + fp + fn)
    assert fscore_error(f, tp, fp + fn) == pytest.approx(resampled(cells, "f"), rel=0.04)
    assert margin_error(*cells) == pytest.approx(resampled(cells, "margin"), rel=0.04)


def test_always_yes_has_no_margin_and_no_error_in_it() -> None:
    assert margin_error(200, 800, 0, 0) == pytest.approx(0, abs=1e-12)
    assert math.isnan(margin_error(0, 10, 0, 90))


def counted(name: str, genre: str, seed: int, value: float, cells: tuple[int, ...]) -> pl.DataFrame:
    tp, fp, fn, tn = cells
    return soft(
        name,
        genre,
        seed,
        value,
        test_tp=tp,
        test_fp=fp,
        test_fn=fn,
        test_tn=tn,
        test_base_rate=(tp + fn) / sum(cells),
    )


def test_above_below_and_unclear() -> None:
    """2,000 posters, 400 positive: always-yes 0.333, and an error of about 0.01 around it."""
    good, level, bad = (350, 500, 50, 1100), (390, 1500, 10, 100), (60, 300, 340, 1300)
    values = {"good": 0.56, "level": 0.335, "bad": 0.16}
    cells = {"good": good, "level": level, "bad": bad}
    table = stack(*(counted(n, "Comedy", 0, v, cells[n]) for n, v in values.items()))
    rows = margins(table, METRIC)
    verdicts = dict(rows.select("name", "verdict").iter_rows())
    assert verdicts == {"good": "above", "level": "unclear", "bad": "below"}
    assert rows["baseline"].unique().to_list() == [pytest.approx(1 / 3)]
    row = rows.row(by_predicate=pl.col("name") == "good", named=True)
    half = 1.959964 * margin_error(*good)
    assert (row["low"], row["high"]) == pytest.approx((row["margin"] - half, row["margin"] + half))


def test_noise_between_runs_widens_the_margin() -> None:
    cells = (350, 500, 50, 1100)
    quiet = stack(*(counted("a", "Comedy", s, 0.40 + 0.001 * s, cells) for s in range(4)))
    loud = stack(*(counted("a", "Comedy", s, 0.40 + 0.05 * s, cells) for s in range(4)))

    def width(table: pl.DataFrame) -> float:
        row = margins(table, METRIC).row(0, named=True)
        return float(row["high"] - row["low"])

    assert width(loud) > 3 * width(quiet)


def test_the_margins_interval_is_welchs() -> None:
    """Noise of known degrees of freedom plus a known sampling error: Welch and Satterthwaite."""
    cells = (350, 500, 50, 1100)
    values = (0.40, 0.43, 0.41, 0.46)
    table = stack(*(counted("a", "Comedy", s, v, cells) for s, v in enumerate(values)))
    row = margins(table, METRIC).row(0, named=True)
    of_runs = np.var(values, ddof=1) / 4
    of_cohort = margin_error(*cells) ** 2
    df = (of_runs + of_cohort) ** 2 / (of_runs**2 / 3)
    half = stats.t.ppf(0.975, df) * math.sqrt(of_runs + of_cohort)
    assert row["high"] - row["margin"] == pytest.approx(half)


def test_a_genre_is_above_only_where_its_best_model_is_clearly_so() -> None:
    schema = ["name", "genre", "margin", "low", "high", "verdict"]
    rows = [
        ("a", "Comedy", 0.10, 0.05, 0.15, "above"),
        ("b", "Comedy", -0.10, -0.15, -0.05, "below"),
        ("a", "Drama", 0.05, 0.001, 0.1, "above"),  # not after having been picked among two
        ("b", "Drama", 0.01, -0.04, 0.06, "unclear"),
        ("a", "War", -0.10, -0.15, -0.05, "below"),
        ("b", "War", -0.10, -0.15, -0.05, "below"),
    ]
    verdicts = genre_verdicts(pl.DataFrame(rows, schema=schema, orient="row"))
    assert dict(verdicts.select("genre", "verdict").iter_rows()) == {
        "Comedy": "above",
        "Drama": "unclear",
        "War": "below",
    }


def test_an_unknown_base_rate_gives_no_bar_and_no_crash() -> None:
    table = history(genre="Somebody's own")
    assert baselines(table)["baseline"].to_list() == [None]
    assert margins(table, "test_fscore").is_empty()


@every_study
def test_drama_of_2017_is_at_its_bar(study_2017: Study2017) -> None:
    table = study_2017.table()
    drama = baselines(table, "test_fscore").row(by_predicate=pl.col("genre") == "Drama", named=True)
    assert drama["always_yes"] == pytest.approx(2 * 0.28077225 / 1.28077225)
    assert drama["always_yes"] == pytest.approx(0.438, abs=0.0005)
    assert drama["positives"] == round(0.28077225 * 21651)
    own = margins(table, "test_fscore").filter(
        (pl.col("name") == "base") & (pl.col("genre") == "Drama")
    )
    assert f"{own['value'].item():.4f}" == study_2017.drama[0]
    assert own["verdict"].item() == "unclear"


@every_study
def test_the_measured_bar_is_what_collapsed_runs_reached(study_2017: Study2017) -> None:
    """By hand: Drama runs whose accuracies are the base rates of both cohorts."""
    table = study_2017.table()
    yes = table.filter(
        (pl.col("genre") == "Drama")
        & ((pl.col("test_accuracy") - 0.28077225).abs() < 1e-5)
        & ((pl.col("train_accuracy") - 0.28129362).abs() < 1e-5)
    )
    drama = baselines(table, "test_fscore").row(by_predicate=pl.col("genre") == "Drama", named=True)
    assert drama["measured_always_yes"] == pytest.approx(yes["test_fscore"].median())
    assert drama["measured_always_yes"] < drama["always_yes"]
    assert drama["baseline"] == drama["measured_always_yes"]
