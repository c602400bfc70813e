"""The gate: what fails, what passes, and why."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from postertui.analysis.check import Allowed, check_against
from postertui.analysis.check_rows import ALL
from postertui.analysis.requirements import check_requirement
from postertui.system.errors import UserError
from tests.support.analysis_tables import (
    history,
    soft,
    soft_runs,
    stack,
)
from tests.support.calibration import Scenario, check_values, frame
from tests.support.study_2017 import Study2017, every_study

METRIC = "test_fscore_soft"
GENRES = ("Comedy", "Drama", "Horror", "War")


def study(shift: float = 0.0, rng_seed: int = 0, seeds: int = 4) -> pl.DataFrame:
    rng = np.random.default_rng(rng_seed)
    return soft_runs(
        [
            (name, genre, s, 0.3 + shift * (name == "other") + rng.normal(0, 0.01))
            for name in ("base", "other")
            for genre in GENRES
            for s in range(seeds)
        ]
    )


def test_a_loss_beyond_noise_fails_and_says_by_how_much() -> None:
    report = check_against(study(-0.06, 1), study(), metric=METRIC)
    assert report.failed
    failed = report.rows.filter(pl.col("failed"))
    assert set(failed["name"]) == {"other"}
    assert failed.height == len(GENRES) + 1
    overall = failed.row(by_predicate=pl.col("genre") == ALL, named=True)
    assert overall["why"] == f"worse by {-overall['difference']:.4f}, beyond noise"
    assert report.rows["failed"].to_list() == sorted(report.rows["failed"], reverse=True)


def test_a_gain_and_a_loss_within_noise_pass() -> None:
    assert not check_against(study(0.06, 1), study(), metric=METRIC).failed
    assert not check_against(study(), study(), metric=METRIC).failed


def test_false_alarms_are_rare() -> None:
    alarms = [
        check_against(study(0, k), study(0, 999 - k), metric=METRIC).failed for k in range(1, 41)
    ]
    assert sum(alarms) <= 6


@pytest.mark.parametrize("shift", [-0.01, 0.01])
def test_an_overall_row_is_a_paired_t_of_its_own_genres(shift: float) -> None:
    now, then = study(shift, 1), study()
    report = check_against(now, then, metric=METRIC)
    row = report.rows.row(
        by_predicate=(pl.col("name") == "other") & (pl.col("genre") == ALL), named=True
    )
    wide = [
        t.filter((pl.col("epoch") == 5) & (pl.col("name") == "other"))
        .sort("genre", "seed")[METRIC]
        .to_numpy()
        .reshape(len(GENRES), 4)
        for t in (now, then)
    ]
    variances = (wide[0] - wide[1]).var(axis=1, ddof=1) / 4
    se = math.sqrt(variances.sum()) / len(GENRES)
    df = min(12, variances.sum() ** 2 / (variances**2 / 4).sum() - 1)
    assert row["paired"]
    assert row["high"] - row["difference"] == pytest.approx(stats.t.ppf(0.975, df) * se)
    assert row["p"] == pytest.approx(stats.t.cdf(row["difference"] / se, df))


def test_a_single_setting_is_a_paired_t_of_its_own_seeds() -> None:
    now, then = (
        t.filter((pl.col("name") == "base") & (pl.col("genre") == "War"))
        for t in (study(0, 1), study())
    )
    [row] = check_against(now, then, metric=METRIC).rows.iter_rows(named=True)
    last = pl.col("epoch") == 5
    before, after = (t.filter(last).sort("seed")[METRIC].to_numpy() for t in (then, now))
    expected = stats.ttest_rel(after, before, alternative="less")
    interval = stats.ttest_rel(after, before).confidence_interval()
    assert (row["low"], row["high"]) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert row["p"] == pytest.approx(expected.pvalue)


def test_means_over_genres_and_single_genres_have_half_of_the_level_each() -> None:
    rows = check_against(study(-0.01, 1), study(), metric=METRIC).rows
    for family in (rows.filter(pl.col("genre") == ALL), rows.filter(pl.col("genre") != ALL)):
        smallest = family["p"].min()
        assert family["p_adjusted"].min() == pytest.approx(min(1, 2 * family.height * smallest))  # type: ignore[operator]
    now, then = (t.filter(pl.col("genre") == GENRES[0]) for t in (study(-0.02, 1), study()))
    rows = check_against(now, then, metric=METRIC).rows
    smallest = rows["p"].min()
    assert isinstance(smallest, float)
    assert smallest < 0.4
    assert rows["p_adjusted"].min() == pytest.approx(2 * smallest)


def test_seeds_that_do_not_match_are_not_paired() -> None:
    now = study(0, 1).with_columns(seed=pl.col("seed") + 10)
    report = check_against(now, study(), metric=METRIC)
    assert not report.rows["paired"].any()
    assert not report.failed


def test_the_same_runs_again_are_no_replicates_and_pass() -> None:
    """A deterministic program repeats itself: that is no noise of zero to compare others with."""
    then = study()
    changed = (pl.col("name") == "other") & (pl.col("genre") == "War")
    wobble = pl.col("seed").replace_strict({0: 0.004, 1: -0.003, 2: -0.004, 3: 0.001})
    now = then.with_columns(
        pl.when(changed).then(pl.col(METRIC) + wobble).otherwise(METRIC).alias(METRIC)
    )
    assert not check_against(then, then, metric=METRIC).failed
    assert not check_against(now, then, metric=METRIC).failed


def test_a_margin_in_numbers_needs_no_noise() -> None:
    one = [("base", "Comedy", 0, 0.30)]
    worse = [("base", "Comedy", 0, 0.27)]
    assert check_against(soft_runs(worse), soft_runs(one), metric=METRIC, margin=0.02).failed
    assert not check_against(soft_runs(worse), soft_runs(one), metric=METRIC, margin=0.04).failed
    # A loss of just as much is not more.
    half, quarter = (soft_runs([("base", "Comedy", 0, value)]) for value in (0.5, 0.25))
    assert not check_against(quarter, half, metric=METRIC, margin=0.25).failed
    with pytest.raises(UserError, match="no noise to compare with") as error:
        check_against(soft_runs(worse), soft_runs(one), metric=METRIC)
    assert error.value.exit_code == 2


def test_a_higher_loss_is_worse() -> None:
    then, now = history(test_loss=1.0), history(test_loss=1.5)
    assert check_against(now, then, metric="test_loss", margin=0.1).failed
    assert not check_against(then, now, metric="test_loss", margin=0.1).failed


def test_more_deaths_than_before_fail() -> None:
    now = stack(study(), soft("base", "Comedy", 9, 0.3, dead=True))
    report = check_against(now, study(), metric=METRIC)
    assert report.rows.filter(pl.col("failed"))["why"].to_list() == [
        "1 of 5 runs died, 0 of 4 before"
    ]


def without(table: pl.DataFrame, genre: str) -> pl.DataFrame:
    return table.filter(pl.col("genre") != genre)


def test_settings_that_are_gone_fail_by_name_unless_allowed() -> None:
    def failed(**allowed: Any) -> list[tuple[str, str, str]]:
        report = check_against(
            without(study(), "War"), study(), metric=METRIC, allowed=Allowed(**allowed)
        )
        rows = report.rows.filter("failed").sort("name")
        return list(rows.select("name", "genre", "why").iter_rows())

    assert failed() == [(name, "War", "missing: no run of it") for name in ("base", "other")]
    assert failed(missing=True) == []
    assert failed(patterns=("BASE/war",)) == [("other", "War", "missing: no run of it")]
    assert failed(patterns=("*/War",)) == []


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (pl.col("epoch") <= 3, "1 of 4 runs ended early, 0 of 4 before"),
        (None, "1 of 4 runs have no defined value, 0 of 4 before"),
    ],
)
def test_a_run_that_ended_early_or_is_undefined_fails(damage: pl.Expr | None, why: str) -> None:
    hit = (pl.col("name") == "base") & (pl.col("genre") == "War") & (pl.col("seed") == 1)
    now = (
        study().with_columns(pl.when(~hit).then(METRIC).alias(METRIC))
        if damage is None
        else study().filter(~hit | damage)
    )
    report = check_against(now, study(), metric=METRIC)
    assert report.rows.filter("failed").select("name", "genre", "why").rows() == [
        ("base", "War", why)
    ]
    allowed = check_against(now, study(), metric=METRIC, allowed=Allowed(patterns=("base/War",)))
    assert not allowed.failed
    assert any("base/War" in note for note in allowed.notes)


def test_tables_that_share_nothing_cannot_be_checked() -> None:
    with pytest.raises(UserError, match="share no variant") as error:
        check_against(history("a"), history("b"), metric="test_fscore", margin=0.1)
    assert error.value.exit_code == 3


TABLE = stack(
    soft("base", "Comedy", 0, 0.40, test_base_rate=0.2),
    soft("base", "Drama", 0, 0.30, test_base_rate=0.28),
    soft("bad", "Comedy", 0, 0.34, test_base_rate=0.2),
)


@pytest.mark.parametrize(
    ("requirement", "genres", "names", "failed"),
    [
        ("test_fscore_soft > always_yes", ("comedy",), (), set()),
        ("test_fscore_soft > always_yes", (), (), {("base", "Drama")}),
        ("test_fscore_soft > always_yes + 0.02", ("Comedy",), (), {("bad", "Comedy")}),
        ("test_fscore_soft >= .4", (), ("base",), {("base", "Drama")}),
        ("base_rate<0.25", (), (), {("base", "Drama")}),
        ("test_loss <= 1", (), (), set()),
        ("test_fscore_soft > always_yes - 0.2", ("D*",), (), set()),
    ],
)
def test_requirements(
    requirement: str, genres: tuple[str, ...], names: tuple[str, ...], failed: set[tuple[str, str]]
) -> None:
    result = check_requirement(TABLE, requirement, genres=genres, names=names)
    assert set(result.filter(pl.col("failed")).select("name", "genre").iter_rows()) == failed


def test_an_undefined_metric_meets_nothing() -> None:
    row = check_requirement(history(test_fscore=None), "test_fscore > 0").row(0, named=True)
    assert (row["failed"], row["why"]) == (True, "undefined")


@pytest.mark.parametrize(
    ("requirement", "genres", "code", "says"),
    [
        ("test_fscore_soft is good", (), 2, "cannot read the requirement"),
        ("f1 > 0.3", (), 2, "no metric 'f1'"),
        ("test_loss < 2", ("Opera",), 3, "no genre matches Opera"),
    ],
)
def test_requirements_that_cannot_be_checked(
    requirement: str, genres: tuple[str, ...], code: int, says: str
) -> None:
    with pytest.raises(UserError, match=says) as error:
        check_requirement(TABLE, requirement, genres=genres)
    assert error.value.exit_code == code


@every_study
def test_a_table_of_2017_is_no_worse_than_itself_and_worse_than_a_better_one(
    study_2017: Study2017,
) -> None:
    table = study_2017.table()
    assert not check_against(table, table, metric="test_fscore").failed
    better = table.with_columns(pl.col("test_fscore") + 0.08)
    report = check_against(table, better, metric="test_fscore")
    assert report.failed
    assert "beyond noise" in report.rows["why"][0]


def test_genres_that_share_seeds_say_less_about_a_variants_noise() -> None:
    """In 25 variants and 10 genres cells failed too often when they counted as independent."""
    rng = np.random.default_rng(0)
    scenario = Scenario(8, 10, 3, shared_by="all", correlation=0.8)
    then, now = frame(scenario.draw(rng)), frame(scenario.draw(rng), first_seed=100)
    widths = []
    for shared in (False, True):
        report = check_values(now, then, shared_seeds=shared)
        assert report is not None
        cells = report.filter(pl.col("genre") != ALL)
        widths.append(float((cells["high"] - cells["low"]).mean()))  # type: ignore[arg-type]
    assert widths[1] > 1.05 * widths[0]
    apart = Scenario(8, 10, 3)
    then, now = frame(apart.draw(rng)), frame(apart.draw(rng), first_seed=100)
    alone, shared_too = (check_values(now, then, shared_seeds=s) for s in (False, True))
    assert alone is not None
    assert shared_too is not None
    of_cells = pl.col("genre") != ALL
    assert shared_too.filter(of_cells)["low"].to_list() == pytest.approx(
        alone.filter(of_cells)["low"].to_list(), rel=0.05, abs=0.002
    )


def test_a_lost_run_does_not_make_genres_of_one_seed_independent() -> None:
    """With one dead run a check of ten genres once failed 20 % of equal studies."""
    rng = np.random.default_rng(1)
    scenario = Scenario(2, 10, 3, shared_by="all", correlation=0.9)
    then, now = scenario.study(rng), scenario.study(rng, first_seed=100)

    def width(now: pl.DataFrame) -> float:
        report = check_values(now, then, shared_seeds=True)
        assert report is not None
        row = report.filter((pl.col("genre") == ALL) & (pl.col("name") == "v01"))
        return float((row["high"] - row["low"]).item())

    one = (pl.col("name") == "v01") & (pl.col("genre") == "g03") & (pl.col("seed") == 101)
    assert width(now.filter(~one)) == pytest.approx(width(now), rel=0.3)


def test_a_short_run_fails_by_name_where_all_others_are_the_same_runs_again() -> None:
    then = study()
    one = (pl.col("name") == "other") & (pl.col("genre") == "Drama") & (pl.col("seed") == 1)
    report = check_against(then.filter(~one | (pl.col("epoch") < 3)), then, metric=METRIC)
    failed = report.rows.filter("failed")
    assert failed.select("name", "genre").rows() == [("other", "Drama")]
    assert "ended early" in failed["why"][0]
    assert report.rows.filter(pl.col("p").is_null())["p_adjusted"].null_count() > 0
    # A setting whose runs all give one answer has no spread of its own.
    counts = {"test_tp": 5, "test_fp": 5, "test_fn": 0, "test_tn": 0}
    same = then.with_columns(
        pl.when(pl.col("name") == "other").then(value).alias(name) for name, value in counts.items()
    )
    report = check_against(same.filter(~one | (pl.col("epoch") < 3)), same, metric=METRIC)
    assert "ended early" in report.rows.filter("failed")["why"][0]


def test_a_setting_without_a_value_in_the_reference_may_not_go_or_die() -> None:
    undefined = history("base", "War", test_fscore_soft=None)
    reference = stack(TABLE, undefined)
    for now, why in (
        (TABLE, "missing: no run of it"),
        (stack(TABLE, history("base", "War", dead=True)), "1 of 1 runs died, 0 of 1 before"),
    ):
        report = check_against(now, reference, metric=METRIC, margin=1.0)
        [row] = report.rows.filter(genre="War").iter_rows(named=True)
        assert (row["failed"], row["why"]) == (True, why)
    same = check_against(reference, reference, metric=METRIC, margin=1.0)
    assert not same.failed
    assert "1 setting has no value to compare" in " ".join(same.notes)
    assert "base/War" in " ".join(same.notes)


def test_nothing_to_compare_is_no_pass() -> None:
    for rule, table in (("last", history(test_fscore_soft=None)), (1000, TABLE)):
        with pytest.raises(UserError, match="nothing to compare") as error:
            check_against(table, table, metric=METRIC, margin=1.0, rule=rule)
        assert error.value.exit_code == 3


def test_fewer_runs_than_in_the_reference_are_noted() -> None:
    reference = stack(*(soft("base", "Comedy", s, 0.3 + s / 100) for s in range(3)))
    report = check_against(reference.filter(seed=0), reference, metric=METRIC, margin=1.0)
    assert "Fewer runs than in the reference: base/Comedy 1 of 3." in report.notes


def test_an_allowance_of_nothing_is_noted() -> None:
    allowed = Allowed(patterns=("bsae", "base/Comedy"))
    notes = check_against(TABLE, TABLE, metric=METRIC, margin=1.0, allowed=allowed).notes
    assert [n for n in notes if "--allow" in n] == [
        "--allow bsae names no setting of the reference."
    ]
