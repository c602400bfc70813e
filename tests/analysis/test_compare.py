"""Comparisons: pairing, intervals, verdicts, and what the published table says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from postertui.analysis.compare import compare
from postertui.analysis.comparison_errors import posters_tested_per_trained
from postertui.analysis.comparison_notes import ENOUGH_GENRES
from postertui.analysis.measured_runs import measure_runs
from postertui.system.errors import UserError
from tests.support.analysis_tables import (
    history,
    soft,
    soft_runs,
    stack,
)
from tests.support.study_2017 import Study2017, every_study

GENRES = ["Comedy", "Drama", "Horror", "Crime", "War", "Music", "Romance", "Western"]
METRIC = "test_fscore_soft"


def seeds(lift: float, noise: float = 0.01, n: int = 4, rng_seed: int = 0) -> pl.DataFrame:
    """Base and `other`, which is better by `lift` in every genre, `n` seeds each."""
    rng = np.random.default_rng(rng_seed)
    runs = []
    for genre in GENRES:
        for seed in range(n):
            shared = rng.normal(0.3, noise)
            runs.append(("base", genre, seed, shared + rng.normal(0, noise)))
            runs.append(("other", genre, seed, shared + lift + rng.normal(0, noise)))
    return soft_runs(runs)


def differences(table: pl.DataFrame) -> pl.DataFrame:
    """The plain computation: differences by genre and seed."""
    last = table.filter(pl.col("epoch") == 5).pivot(
        on="name", index=["genre", "seed"], values=METRIC
    )
    return last.with_columns(d=pl.col("other") - pl.col("base"))


def test_the_mean_difference_is_paired_over_genre_and_seed() -> None:
    table = seeds(0.02)
    row = compare(table, metric=METRIC).rows.row(0, named=True)
    d = differences(table)["d"].to_numpy()
    assert (row["genres"], row["pairs"]) == (8, 32)
    assert row["difference"] == pytest.approx(d.mean())


def test_the_interval_over_runs_is_one_of_paired_differences_genre_by_genre() -> None:
    table = seeds(0.02)
    row = compare(table, metric=METRIC, over="runs").rows.row(0, named=True)
    groups = [g["d"].to_numpy() for _, g in differences(table).group_by("genre")]
    variances = np.array([g.var(ddof=1) / len(g) for g in groups])
    error = math.sqrt(variances.sum()) / len(groups)
    df = variances.sum() ** 2 / (variances**2 / 4).sum() - 1
    mean = np.mean([g.mean() for g in groups])
    expected = stats.t.interval(0.95, df, loc=mean, scale=error)
    assert (row["low"], row["high"]) == pytest.approx(expected)
    assert row["p"] == pytest.approx(2 * stats.t.sf(mean / error, df))


def test_where_genres_share_seeds_the_means_of_seeds_are_compared() -> None:
    table = seeds(0.02).with_columns(random_key=pl.lit("seed"))
    row = compare(table, metric=METRIC, over="runs").rows.row(0, named=True)
    means = differences(table).group_by("seed").agg(pl.mean("d"))["d"].to_numpy()
    test = stats.ttest_1samp(means, 0)
    assert row["p"] == pytest.approx(test.pvalue)
    assert (row["low"], row["high"]) == pytest.approx(tuple(test.confidence_interval()))


def without_run(table: pl.DataFrame, name: str, genre: str, seed: int) -> pl.DataFrame:
    """The table with that run dead from its first epoch."""
    run = (pl.col("name") == name) & (pl.col("genre") == genre) & (pl.col("seed") == seed)
    return table.with_columns(dead=run, **{METRIC: pl.when(~run).then(METRIC)})


def test_a_dead_run_leaves_a_verdict_where_genres_share_seeds() -> None:
    table = seeds(0.02, noise=0.002, n=3).with_columns(random_key=pl.lit("seed"))
    whole = compare(table, metric=METRIC, over="runs")
    result = compare(without_run(table, "other", "Drama", 1), metric=METRIC, over="runs")
    row = result.rows.row(0, named=True)
    assert row["verdict"] == "better"
    # Eight genres, three seeds: 2 · t · sqrt(2 · .002² / 24), or a few times less by luck.
    assert 0.0005 < row["high"] - row["low"] < 0.01
    assert [n for n in result.notes if "that are left" in n] == [
        "Means are over the runs that are left where some are dead, undefined or short: "
        "other in Drama (without 1 of 3)."
    ]
    assert not any("that are left" in n for n in whole.notes)


def test_a_setting_with_one_run_left_still_counts_in_the_mean() -> None:
    table = seeds(0.02, noise=0.002, n=3).with_columns(random_key=pl.lit("seed"))
    for seed in (0, 1):
        run = (pl.col("name") == "other") & (pl.col("genre") == "Drama") & (pl.col("seed") == seed)
        table = table.filter(~run)
    row = compare(table, metric=METRIC, over="runs").rows.row(0, named=True)
    assert (row["genres"], row["verdict"]) == (8, "better")


def test_unbalanced_seeds_all_count() -> None:
    table = seeds(0.02, n=6)
    fewer = table.filter((pl.col("name") == "base") | (pl.col("seed") < 2))
    row = compare(fewer, metric=METRIC, over="runs").rows.row(0, named=True)
    last = fewer.filter(pl.col("epoch") == 5).group_by("name", "genre").agg(pl.mean(METRIC))
    means = dict(last.group_by("name").agg(pl.mean(METRIC)).iter_rows())
    assert row["difference"] == pytest.approx(means["other"] - means["base"])


def test_histories_that_are_there_twice_count_once() -> None:
    once = stack(*(soft(n, "Comedy", 0, v) for n, v in (("base", 0.3), ("b", 0.4))))
    again = once.with_columns(run=pl.col("run") + "--2", seed=pl.lit(1, dtype=pl.Int64))
    result = compare(stack(once, again), metric=METRIC)
    assert result.rows.equals(compare(once, metric=METRIC).rows)
    assert [n for n in result.notes if "there twice" in n] == [
        "2 histories are there twice, number for number, and count once."
    ]


def test_the_interval_over_genres_is_scipys_paired_t() -> None:
    table = seeds(0.02)
    row = compare(table, metric=METRIC, over="genres").rows.row(0, named=True)
    means = differences(table).group_by("genre").agg(pl.mean("d", "base", "other"))
    test = stats.ttest_rel(means["other"].to_numpy(), means["base"].to_numpy())
    interval = test.confidence_interval()
    assert row["p"] == pytest.approx(test.pvalue)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    flips = stats.permutation_test(
        (means["d"].to_numpy(),), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert row["p_sign_flip"] == pytest.approx(flips.pvalue)


def test_a_clear_lift_is_better_and_a_clear_loss_is_worse() -> None:
    up = compare(seeds(0.05), metric=METRIC).rows.row(0, named=True)
    down = compare(seeds(-0.05), metric=METRIC).rows.row(0, named=True)
    assert (up["verdict"], up["better"], up["worse"]) == ("better", 8, 0)
    assert (down["verdict"], down["better"], down["worse"]) == ("worse", 0, 8)


def test_less_is_better_for_a_loss() -> None:
    table = seeds(0.05).with_columns(test_loss=1 - pl.col(METRIC))
    assert compare(table, metric="test_loss").rows["verdict"].to_list() == ["better"]


def test_equal_settings_are_rarely_called_different() -> None:
    """40 comparisons of equals at a corrected 5 % each: some false claims, not many."""
    claims = [
        compare(seeds(0.0, n=3, rng_seed=k), metric=METRIC).rows["verdict"][0] != "undecided"
        for k in range(40)
    ]
    assert sum(claims) <= 7


def test_the_correction_covers_all_variants() -> None:
    base = seeds(0.0)
    copies = [
        seeds(0.0, rng_seed=k)
        .filter(pl.col("name") == "other")
        .with_columns(name=pl.lit(f"v{k}"), run=pl.col("run") + f"--{k}")
        for k in range(9)
    ]
    table = stack(base, *copies)
    rows = compare(table, metric=METRIC).rows
    raw = compare(table, metric=METRIC, correction="none").rows
    smallest = rows["p"].min()
    assert rows.filter(pl.col("p") == smallest)["p_adjusted"].item() == pytest.approx(
        min(1.0, 10 * float(smallest))  # type: ignore[arg-type]
    )
    assert raw["p_adjusted"].to_list() == raw["p"].to_list()


def test_one_run_each_and_few_genres_is_too_little_data() -> None:
    table = stack(
        *(
            soft(name, genre, 0, v)
            for genre in GENRES[:3]
            for name, v in (("base", 0.3), ("b", 0.4))
        )
    )
    result = compare(table, metric=METRIC)
    assert result.rows["verdict"].to_list() == ["too little data"]
    assert result.cells["verdict"].to_list() == ["too little data"] * 3
    assert result.rows["difference"][0] == pytest.approx(0.1)
    assert any("train more seeds" in note for note in result.notes)


def test_one_run_each_and_many_genres_take_the_genres_as_the_sample() -> None:
    rng = np.random.default_rng(0)
    table = stack(
        *(
            soft(name, genre, 0, v + rng.normal(0, 0.01))
            for genre in GENRES[:ENOUGH_GENRES]
            for name, v in (("base", 0.3), ("b", 0.4))
        )
    )
    row = compare(table, metric=METRIC).rows.row(0, named=True)
    assert (row["unit"], row["verdict"]) == ("genres", "better")


def test_equal_variants_under_two_names_give_the_noise() -> None:
    """With one run each, base and reduce-lr (which never fires) differ by noise alone."""
    rng = np.random.default_rng(3)
    runs, d = [], []
    for genre in GENRES:
        a, b = rng.normal(0.3, 0.01, 2)
        d.append(b - a)
        runs.append(soft("base", genre, 0, a))
        runs.append(soft("reduce-lr", genre, 0, b, variant="Reduce LR on Plateau"))
        runs.append(soft("other", genre, 0, a + 0.1))
    result = compare(stack(*runs), metric=METRIC)
    assert result.noise.source == "known-equal variants"
    assert result.noise.sd == pytest.approx(math.sqrt(np.mean(np.square(d)) / 2))
    assert result.noise.df == 8
    cell = result.cells.filter(pl.col("name") == "other").row(0, named=True)
    variance, df = result.noise.variance(cell["genre"], "other")
    half = stats.t.ppf(0.975, df) * math.sqrt(2 * variance)
    assert cell["high"] - cell["difference"] == pytest.approx(half)
    rows = {row["name"]: row for row in result.rows.iter_rows(named=True)}
    assert rows["other"]["verdict"] == "better"
    assert "noise" in rows["reduce-lr"]["note"]


def test_a_plateau_that_fired_is_not_base() -> None:
    runs = []
    for genre in GENRES:
        runs.append(soft("base", genre, 0, 0.3, learning_rate=1e-3))
        runs.append(
            soft(
                "reduce-lr",
                genre,
                0,
                0.4,
                variant="Reduce LR on Plateau",
                learning_rate=[1e-3, 1e-3, 2e-4, 2e-4, 2e-4],
            )
        )
    assert compare(stack(*runs), metric=METRIC).noise.source == "none"


def test_dead_and_undefined_runs_are_counted_and_not_compared() -> None:
    table = stack(
        seeds(0.0),
        soft("c", "Comedy", 0, 0.3, dead=True),
        soft("c", "Drama", 0, None),  # type: ignore[arg-type]
        soft("c", "Horror", 0, 0.3, epochs=3),
        soft("c", "Crime", 0, 0.3),
    )
    rows = compare(table, names=["c"], metric=METRIC).rows
    row = rows.row(0, named=True)
    assert (row["dead"], row["undefined"], row["short"], row["pairs"]) == (1, 1, 1, 1)


def test_last_is_the_epoch_that_most_runs_reached() -> None:
    longer = [
        soft("long", g, 0, 0.9, epochs=8).with_columns(
            pl.when(pl.col("epoch") == 5).then(0.31).otherwise(METRIC).alias(METRIC)
        )
        for g in GENRES
    ]
    table = stack(seeds(0.0), *longer)
    at_five = compare(table, names=["long"], metric=METRIC).cells
    at_end = compare(table, names=["long"], metric=METRIC, rule="end").cells
    assert at_five["value"].to_list() == pytest.approx([0.31] * 8)
    assert at_end["value"].to_list() == pytest.approx([0.9] * 8)


def test_best_says_that_it_was_chosen_on_the_test_cohort() -> None:
    rising = soft("up", "Comedy", 0, 0.2).with_columns(pl.Series(METRIC, [0.1, 0.2, 0.5, 0.2, 0.1]))
    result = compare(stack(seeds(0.0), rising), names=["up"], metric=METRIC, rule="best")
    assert result.cells["value"].item() == 0.5
    assert "chosen on the test cohort" in result.notes[0]


def test_runs_that_were_measured_before_change_nothing() -> None:
    table = seeds(0.02)
    before = compare(table, metric=METRIC, measured=measure_runs(table, METRIC))
    assert before.rows.equals(compare(table, metric=METRIC).rows)
    assert before.rule == "last"


def test_measurements_at_another_epoch_are_not_taken() -> None:
    """Most runs of the table ended after 5 epochs, those compared after 3."""
    values = ([0.1, 0.2, 0.3], [0.1, 0.3, 0.5])
    compared = [
        soft(name, "Comedy", seed, 0.0, epochs=3).with_columns(pl.Series(METRIC, own))
        for name, own in zip(("base", "short"), values, strict=True)
        for seed in range(2)
    ]
    rest = [soft("long", "Comedy", seed, 0.4) for seed in range(9)]
    table = stack(*compared, *rest)
    cells = compare(table, names=["short"], metric=METRIC).cells
    assert cells["difference"].item() == pytest.approx(0.2)
    measured = measure_runs(table, METRIC)
    assert measured.rule == 5
    assert compare(table, names=["short"], metric=METRIC, measured=measured).cells.equals(cells)


def test_repeated_histories_of_one_seed_are_two_runs() -> None:
    table = stack(
        soft("base", "Comedy", 0, 0.3),
        soft("base", "Comedy", 0, 0.4, replicate=1),
        soft("b", "Comedy", 0, 0.35),
        soft("b", "Comedy", 0, 0.45, replicate=1),
    )
    cell = compare(table, metric=METRIC).cells.row(0, named=True)
    assert (cell["pairs"], cell["difference"]) == (2, pytest.approx(0.05))


def test_runs_without_a_common_seed_meet_in_order() -> None:
    table = stack(soft("base", "Comedy", 0, 0.3), soft("b", "Comedy", 7, 0.4))
    assert compare(table, metric=METRIC).cells["difference"].item() == pytest.approx(0.1)


def test_all_pairs() -> None:
    table = stack(seeds(0.0), soft("c", "Comedy", 0, 0.3))
    rows = compare(table, metric=METRIC, against=None).rows
    pairs = {frozenset(pair) for pair in rows.select("name", "reference").iter_rows()}
    assert pairs == {frozenset(p) for p in (("base", "other"), ("base", "c"), ("other", "c"))}


def test_unknown_variants_are_named() -> None:
    with pytest.raises(UserError, match=r"no variant 'x'.*base, other") as error:
        compare(seeds(0.0), metric=METRIC, against="x")
    assert error.value.exit_code == 3
    with pytest.raises(UserError, match="no metric 'f1'"):
        compare(seeds(0.0), metric="f1")


def test_no_run_with_the_metric_is_no_crash() -> None:
    table = stack(history("base"), history("other"))
    row = compare(table, metric=METRIC).rows.row(0, named=True)
    assert (row["verdict"], row["pairs"]) == ("too little data", 0)


@every_study
def test_no_variant_of_2017_is_better_than_base(study_2017: Study2017) -> None:
    result = compare(study_2017.table(), metric="test_fscore")
    assert result.rows["better"].sum() == 0
    assert "better" not in result.rows["verdict"].to_list()
    verdicts = dict(result.rows.select("name", "verdict").iter_rows())
    for name in ("scratch", "l2-1e-2", "l1-1e-4", "lr-decay", "bce", "fc-4096x4096"):
        assert verdicts[name] == "worse"
    for name in ("reduce-lr", "no-reg", "l1-1e-6", "frozen-16", "frozen-17"):
        assert verdicts[name] == "undecided"


@every_study
def test_the_noise_of_2017_is_that_of_base_and_its_double(study_2017: Study2017) -> None:
    """By hand from the file: sd of reduce-lr minus base at epoch 10, over the square root of 2."""
    table = study_2017.table()
    last = table.filter((pl.col("epoch") == 10) & (pl.col("test_accuracy") > 0))
    sides = last.filter(pl.col("name").is_in(["base", "reduce-lr"])).pivot(
        on="name", index="genre", values="test_fscore"
    )
    d = (sides["reduce-lr"] - sides["base"]).drop_nulls().to_numpy()
    assert d.size == 10
    only = compare(table.filter(pl.col("name").is_in(["base", "reduce-lr"])), metric="test_fscore")
    assert only.noise.sd == pytest.approx(math.sqrt((d**2).mean() / 2))


def rotated(lift: float, rotations: int = 5, seeds: int = 2) -> pl.DataFrame:
    """Base and `other` on rotated cohorts: each is harder or easier for both."""
    rng = np.random.default_rng(11)
    parts = []
    for fold in range(rotations):
        level = rng.normal(0.3, 0.05)
        runs = [
            (name, genre, seed, level + lift * (name == "other") + rng.normal(0, 0.01))
            for name in ("base", "other")
            for genre in GENRES[:3]
            for seed in range(seeds)
        ]
        parts.append(
            soft_runs(runs).with_columns(
                run=pl.col("run") + f"--{fold}",
                train_cohorts=pl.lit(str(fold)),
                test_cohorts=pl.lit(str(fold + 1)),
            )
        )
    return stack(*parts)


def test_rotations_are_a_sample_of_other_posters_with_nadeau_and_bengios_correction() -> None:
    table = rotated(0.02)
    result = compare(table, metric=METRIC)
    row = result.rows.row(0, named=True)
    wide = table.filter(pl.col("epoch") == 5).pivot(
        on="name", index=["genre", "seed", "test_cohorts"], values=METRIC
    )
    folds = (
        wide.with_columns(d=pl.col("other") - pl.col("base"))
        .group_by("test_cohorts")
        .agg(pl.mean("d"))["d"]
        .to_numpy()
    )
    share = posters_tested_per_trained(table)
    assert 0.9 < share <= 1.1
    se = math.sqrt((1 / 5 + share) * folds.var(ddof=1))
    half = stats.t.ppf(0.975, 4) * se
    assert row["unit"] == "rotations"
    assert (row["low"], row["high"]) == pytest.approx((folds.mean() - half, folds.mean() + half))
    assert any("Nadeau" in note for note in result.notes)
    # How hard a cohort is, is no noise between runs.
    assert result.noise.sd == pytest.approx(0.01, rel=0.3)
    assert not any("Several histories" in note for note in result.notes)
    assert compare(rotated(0.02, 2), metric=METRIC).rows["unit"][0] == "runs"


def test_where_no_genre_can_be_compared_there_is_a_reason_and_no_number_of_seeds() -> None:
    dead: dict[str, Any] = {"test_fscore_soft": None, "test_accuracy": 0.0}
    base = [history("base", "Comedy", s, **dead) for s in range(3)]
    base += [soft("base", "Drama", s, 0.3 + 0.01 * s) for s in range(3)]
    others = [soft("b", "Comedy", s, 0.3 + 0.012 * s) for s in range(3)]
    others += [soft("c", "War", s, 0.3 + 0.011 * s) for s in range(3)]
    result = compare(stack(*base, *others), metric=METRIC)
    notes = dict(result.rows.select("name", "note").iter_rows())
    assert notes == {
        "b": "base is dead in all genres in common",
        "c": "no genre in common with base",
    }
    assert not any("train more seeds" in note for note in result.notes)


def test_seeds_that_died_at_once_are_counted_each_though_their_histories_are_equal() -> None:
    dead: dict[str, Any] = {"test_fscore_soft": None, "test_accuracy": 0.0}
    live = [soft("base", "Comedy", s, 0.3 + 0.01 * s) for s in range(3)]
    dead_runs = [history("b", "Comedy", s, **dead) for s in range(3)]
    result = compare(stack(*live, *dead_runs), metric=METRIC)
    assert result.rows["dead"].to_list() == [3]
    assert not any("number for number" in note for note in result.notes)


def test_what_is_chosen_changes_no_interval_of_a_cell() -> None:
    rng = np.random.default_rng(5)
    runs = [
        (name, genre, seed, float(rng.normal(0.3, sd)))
        for name, sd in (("base", 0.01), ("a", 0.01), ("b", 0.03))
        for genre in GENRES[:3]
        for seed in range(3)
    ]
    table = soft_runs(runs)

    def interval(**chosen: Any) -> tuple[float, float]:
        cells = compare(table, metric=METRIC, correction="none", **chosen).cells
        [row] = cells.filter(name="a", genre=GENRES[0]).iter_rows(named=True)
        return row["low"], row["high"]

    whole = interval()
    assert interval(names=["a"]) == whole
    assert interval(genres=[GENRES[0]]) == whole
    assert interval(names=["base", "a"], genres=list(GENRES[:2])) == whole
