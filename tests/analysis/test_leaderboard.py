"""The leaderboard: order, intervals, ties, and no winner within noise."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from postertui.analysis.compare import compare
from postertui.analysis.leaderboard import lead_line, lead_line_of, leaderboard
from postertui.analysis.measured_runs import measure_runs
from postertui.analysis.tables.leaderboard import leaderboard_sections
from tests.support.analysis_tables import (
    history,
    soft,
    soft_runs,
    stack,
)
from tests.support.study_2017 import Study2017, every_study

GENRES = ("Comedy", "Drama", "Horror", "War")


def field(lift: float, seeds: int = 4, noise: float = 0.01, rng_seed: int = 0) -> pl.DataFrame:
    """Five variants, of which `winner` is better by `lift`."""
    rng = np.random.default_rng(rng_seed)
    names = ("winner", "a", "b", "c", "d")
    return soft_runs(
        [
            (name, genre, seed, 0.3 + lift * (name == "winner") + rng.normal(0, noise))
            for name in names
            for genre in GENRES
            for seed in range(seeds)
        ]
    )


def lone_winners(table: pl.DataFrame) -> int:
    board = leaderboard(table)
    alone = board.genres.group_by("genre").agg(pl.col("best").sum())["best"]
    return int((alone == 1).sum())


def test_a_clear_lead_is_a_lone_winner_and_a_lead_within_noise_never_is() -> None:
    assert lone_winners(field(0.1)) == len(GENRES)
    wrong = sum(lone_winners(field(0.0, rng_seed=k)) for k in range(25))
    assert wrong <= 0.05 * 25 * len(GENRES) + 3


def test_the_leaderboard_and_the_comparison_with_its_leader_agree() -> None:
    for rng_seed in range(5):
        table = field(0.015, rng_seed=rng_seed)
        board = leaderboard(table)
        leader = board.overall["name"][0]
        rows = compare(table, against=leader, metric="test_fscore_soft", over="runs").rows
        worse = set(rows.filter(pl.col("verdict") == "worse")["name"])
        assert set(board.overall.filter(~pl.col("best"))["name"]) == worse


def test_nothing_is_marked_as_best_where_the_epoch_was_chosen_on_the_test_cohort() -> None:
    board = leaderboard(field(0.1), rule="best")
    assert not board.overall["best"].any()
    assert not board.genres["best"].any()
    assert any("chosen on the test cohort" in note for note in board.notes)


def test_nothing_is_marked_as_best_where_the_noise_is_unknown() -> None:
    board = leaderboard(field(0.1).filter(pl.col("seed") == 0))
    assert not board.overall["best"].any()


def test_no_note_is_empty() -> None:
    sections = leaderboard_sections(leaderboard(history()))
    assert all(note for section in sections for note in section.notes)


def test_less_is_better_for_a_loss() -> None:
    table = stack(history("good", test_loss=0.5), history("bad", test_loss=0.9))
    assert leaderboard(table, "test_loss").genres["name"].to_list() == ["good", "bad"]


def test_without_a_known_noise_nothing_is_best() -> None:
    board = leaderboard(stack(soft("a", "Comedy", 0, 0.5), soft("b", "Comedy", 0, 0.1)))
    assert not board.genres["best"].any()
    assert not board.overall["best"].any()
    assert any("no lead can be distinguished from chance" in note for note in board.notes)


def test_overall_means_are_adjusted_for_genres_that_a_variant_lacks() -> None:
    """`easy` ran in the easy genre only: its raw mean is the highest and means nothing."""
    truth = {"base": 0.0, "good": 0.02, "easy": -0.02}
    level = {"Comedy": 0.5, "Drama": 0.2, "Horror": 0.1}
    runs = [
        (name, genre, seed, level[genre] + lift + (0.001 if seed else -0.001))
        for name, lift in truth.items()
        for genre in (("Comedy",) if name == "easy" else level)
        for seed in range(2)
    ]
    overall = leaderboard(soft_runs(runs)).overall
    assert overall["name"].to_list() == ["good", "base", "easy"]
    mean = sum(level.values()) / 3
    assert overall["mean"].to_list() == pytest.approx([mean + 0.02, mean, mean - 0.02])
    assert dict(overall.select("name", "genres").iter_rows())["easy"] == 1


def test_overall_is_the_least_squares_fit_of_variant_plus_genre() -> None:
    table = field(0.03)
    board = leaderboard(table)
    cells = board.genres.sort("name", "genre")
    names = sorted(set(cells["name"]))
    design = np.column_stack(
        [(cells["name"] == n).to_numpy() for n in names]
        + [(cells["genre"] == g).to_numpy() for g in GENRES[1:]]
    ).astype(float)
    beta, *_ = np.linalg.lstsq(design, cells["mean"].to_numpy(), rcond=None)
    expected = beta[: len(names)] + beta[len(names) :].sum() / len(GENRES)
    means = dict(board.overall.select("name", "mean").iter_rows())
    assert [means[n] for n in names] == pytest.approx(expected.tolist())


def test_a_table_without_the_metric_has_an_empty_board() -> None:
    board = leaderboard(history(test_fscore_soft=None), "test_fscore_soft")
    assert (board.genres.height, board.overall.height, lead_line(board)) == (0, 0, "")


@every_study
def test_the_winners_of_2017_lead_by_thousandths_and_none_stands_alone(
    study_2017: Study2017,
) -> None:
    table = study_2017.table()
    last = table.filter((pl.col("epoch") == 10) & (pl.col("test_accuracy") > 0))
    means = last.drop_nulls("test_fscore").group_by("genre", "name").agg(pl.mean("test_fscore"))
    leads = []
    for _, genre in means.group_by("genre"):
        best = sorted(genre["test_fscore"], reverse=True)
        leads.append(best[0] - best[1])
    board = leaderboard(table)
    assert float(np.median(leads)) == pytest.approx(float(study_2017.lead), abs=0.00005)
    assert f"{np.median(leads):.4f}" in lead_line(board)
    assert "0 of 10 genres have a lone winner" in lead_line(board)


def test_the_leads_alone_are_those_of_the_board() -> None:
    table = field(0.1)
    line = lead_line_of(table, measure_runs(table, "test_fscore_soft"))
    assert "have a lone winner" in line
    assert line == lead_line(leaderboard(table, "test_fscore_soft"))


def test_equal_numbers_have_no_interval_and_what_cannot_be_ranked_is_named() -> None:
    equal = [soft(n, g, 0, v) for n, v in (("base", 0.3), ("a", 0.31)) for g in GENRES]
    dead = [
        history("b", g, s, test_fscore_soft=None, test_accuracy=0.0)
        for g in GENRES[:2]
        for s in range(2)
    ]
    board = leaderboard(stack(*equal, *dead))
    assert board.overall["low"].null_count() == board.overall.height == 2
    assert "Not ranked, without a run that has a value: b (4 dead)." in board.notes
    stars = [note for section in leaderboard_sections(board) for note in section.notes]
    assert not any(note.startswith("*") for note in stars)
