"""Ensembles of probabilities, from their recipe to a row beside variants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, f1_score

from postertui.analysis.blends import blend_runs, history_rows, parse_recipe, recipe_of
from postertui.history.selection import open_history
from postertui.history.writing import write_table
from postertui.predictions.loading import RunPredictions, load_runs
from postertui.predictions.table import Predictions
from postertui.system.errors import UserError
from tests.support.commands import output_of
from tests.support.predictions import write_predicted_runs

VARIANTS = {"base": 0.15, "bce": 0.2, "l2-1e-4": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blends") / "runs"
    write_predicted_runs(folder, variants=VARIANTS, seeds=2, posters=900)
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> Sequence[RunPredictions]:
    return load_runs(folder, sorted(p.name for p in folder.iterdir()))[0]


def test_an_average_is_the_mean_of_its_members_seed_by_seed(runs: Sequence[RunPredictions]) -> None:
    blended = blend_runs(recipe_of("average", "base, bce"), runs)
    assert [(b.predictions.genre, b.predictions.seed) for b in blended] == [
        ("Comedy", 0), ("Comedy", 1), ("Drama", 0), ("Drama", 1),
    ]  # fmt: skip
    first = blended[0]
    mean = np.mean([m.test.probabilities for m in first.members], axis=0)
    assert first.predictions.test.probabilities == pytest.approx(mean, abs=1e-6)
    assert first.weights == {"base": 0.5, "bce": 0.5}


def test_weights_come_from_validation_and_the_test_cohort_evaluates(
    runs: Sequence[RunPredictions],
) -> None:
    for kind in ("greedy", "stack"):
        blended = blend_runs(recipe_of(kind, "*"), runs)[0]
        assert abs(blended.weights["l2-1e-4"]) < 0.2 < blended.weights["bce"]
        # Other test labels change nothing about the weights.
        changed = [replace(run, test=replace(run.test, labels=1 - run.test.labels)) for run in runs]
        assert blend_runs(recipe_of(kind, "*"), changed)[0].weights == blended.weights


def test_an_ensemble_stands_in_the_history_table(
    folder: Path, runs: Sequence[RunPredictions]
) -> None:
    table = open_history(folder).table
    blended = blend_runs(parse_recipe("average:base,bce"), runs)
    rows = history_rows(blended, table)
    assert rows.columns == table.columns
    assert rows["epoch"].unique().to_list() == [2]
    row = rows.row(0, named=True)
    posters = blended[0].predictions
    ap = average_precision_score(posters.test.labels, posters.test.probabilities)
    assert row["test_ap"] == pytest.approx(ap, abs=1e-9)
    assert posters.chosen_threshold is not None
    decided = posters.test.probabilities.astype(float) > posters.chosen_threshold
    expected = f1_score(posters.test.labels, decided)
    assert row["test_fscore_threshold"] == pytest.approx(expected, abs=1e-9)
    assert row["threshold"] == posters.chosen_threshold


def test_commands_show_it_beside_variants(folder: Path) -> None:
    document = json.loads(
        output_of("ensemble", "--runs", folder, "--average", "base,bce", "--json")
    )
    best = document["ensemble"][0]
    assert best["variant"] == "average(base,bce)"
    assert best["test_ap"] > max(row["test_ap"] for row in document["ensemble"][1:])
    words = ("--runs", folder, "--metric", "ap", "--json", "--ensemble", "greedy:*")
    overall = json.loads(output_of("leaderboard", *words))["overall"]
    assert {row["name"] for row in overall} == {*VARIANTS, "greedy(*)"}
    compared = json.loads(output_of("compare", *words))
    assert any("greedy(*)" in json.dumps(rows) for rows in compared.values())
    # A filter about variants leaves the ensemble out, or takes it alone.
    filtered = json.loads(output_of("leaderboard", *words, "variant:base"))["overall"]
    assert [row["name"] for row in filtered] == ["base"]


def test_without_recipe_it_is_that_of_2017(folder: Path) -> None:
    assert "chosen by" in output_of("ensemble", "--runs", folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean:base", "KIND one of average, greedy, stack"),
        ("average", "KIND one of"),
        ("average: ,", "name the variants"),
    ],
)
def test_recipes_that_are_none(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_recipe(text)


def test_what_cannot_be_blended_is_one_clear_line(
    tmp_path: Path, folder: Path, runs: Sequence[RunPredictions]
) -> None:
    with pytest.raises(UserError, match="variant none: no run of it has predictions"):
        blend_runs(recipe_of("average", "none,base"), runs)
    with pytest.raises(UserError, match="two variants or more"):
        blend_runs(recipe_of("average", "base"), runs)
    blind = [replace(run, validation=None) for run in runs]
    with pytest.raises(UserError, match="no validation cohort"):
        blend_runs(recipe_of("stack", "*"), blind)
    assert blend_runs(recipe_of("average", "*"), blind)[0].predictions.validation is None
    test = runs[0].test
    others = Predictions(test.ids + 1, test.cohorts, test.labels, test.probabilities)
    with pytest.raises(UserError, match="of other posters"):
        blend_runs(recipe_of("average", "*"), [replace(runs[0], test=others), *runs[1:]])
    table = tmp_path / "table.parquet"
    write_table(open_history(folder).table, table)
    with pytest.raises(UserError, match="name the runs folder with --runs"):
        output_of("leaderboard", "--from", table, "--ensemble", "average:base,bce")


def test_dead_runs_and_missing_seeds_are_left_out(runs: Sequence[RunPredictions]) -> None:
    nan = np.full(len(runs[0].test), np.nan, np.float32)
    killed = next(r for r in runs if (r.genre, r.seed) == ("Drama", 1))
    dead = replace(killed, test=replace(killed.test, probabilities=nan))
    dead_too = [dead if run is killed else run for run in runs]
    blends = blend_runs(recipe_of("average", "*"), dead_too)
    assert len(blends) == 3
    assert isinstance(history_rows([], pl.DataFrame()), pl.DataFrame)


def test_each_rotation_has_an_ensemble_of_its_own(
    folder: Path, runs: Sequence[RunPredictions]
) -> None:
    """Members of one seed that tested on other posters are not mixed up, in whatever order."""
    turned = [replace(run, validation=run.test, test=run.validation) for run in runs]  # type: ignore[arg-type]
    blended = blend_runs(recipe_of("average", "base,bce"), [*turned, *reversed(runs)])
    own = {(b.predictions.genre, b.predictions.seed, b.predictions.test_cohorts) for b in blended}
    assert len(blended) == len(own) == 8
    assert len({b.predictions.run for b in blended}) == 8
    rows = history_rows(blended, open_history(folder).table)
    assert rows["run"].n_unique() == 8
