"""`postertui diagnose`, `leaderboard`, `bars`, `ensemble`: what they print, in every format."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest

from postertui.analysis.tables.section import Column, Section
from postertui.cli.formats import print_sections
from tests.support.analysis_runs import GENRES, postertui, write_study
from tests.support.analysis_tables import history, stack
from tests.support.study_2017 import Study2017, every_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "study.tsv")


def test_the_leaderboard_marks_the_best_and_its_ties(study: Path) -> None:
    overall = json.loads(postertui("leaderboard", "--from", study, "--json").stdout)
    assert [(row["name"], row["best"]) for row in overall["overall"]] == [
        ("other", True),
        ("base", False),
    ]
    top = postertui("leaderboard", "--from", study, "--top", "1")
    rows = [line.split() for line in top.stdout.splitlines() if line.startswith(GENRES)]
    assert [row[:4] for row in rows] == [[genre, "1", "*", "other"] for genre in GENRES]
    assert "± " in top.stdout
    assert "(n = 3)" in top.stdout


def test_bars_of_one_variant_and_of_every(study: Path) -> None:
    one = json.loads(postertui("bars", "--from", study, "--json").stdout)["bars"]
    assert [row["genre"] for row in one] == list(GENRES)
    assert one[0]["always_yes"] == pytest.approx(2 * 0.19611103 / 1.19611103)
    every = postertui("bars", "--from", study, "--every", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(every)))
    assert len(rows) == 2 * len(GENRES)
    assert {row["verdict"] for row in rows} <= {"above", "unclear", "below"}


def test_diagnosis_explains_and_advises(tmp_path: Path) -> None:
    from postertui.history.writing import write_table

    write_table(stack(history("base", dead=True), history("x")), tmp_path / "dead.tsv")
    done = postertui("diagnose", "--from", tmp_path / "dead.tsv", "--format", "md")
    assert "| Comedy | base | 1 | dead | 1 | The weights are NaN since epoch 1" in done.stdout
    assert "2 runs: 1 dead; 1 without a finding." in done.stdout


def test_the_ensemble(study: Path) -> None:
    rows = json.loads(postertui("ensemble", "--from", study, "--json").stdout)
    assert [row["name"] for row in rows["choices"]] == ["other"] * len(GENRES)
    assert rows["totals"][0]["macro_f1"] == pytest.approx(rows["totals"][1]["macro_f1"])
    refused = postertui("ensemble", "--from", study, "--epoch", "best")
    assert (refused.returncode, refused.stdout) == (2, "")


def test_a_runs_folder_that_is_not_there(tmp_path: Path) -> None:
    done = postertui("leaderboard", "--runs", tmp_path / "runs")
    assert done.returncode == 2
    assert "no such file or folder; name runs with --runs" in done.stderr


@every_study
def test_a_table_of_2017_is_explained(study_2017: Study2017) -> None:
    rows = json.loads(postertui("diagnose", "--from", study_2017.table_path, "--json").stdout)
    dead, epochs = study_2017.dead_epochs, study_2017.epochs
    assert f"{dead:,} of {epochs:,} epochs come from dead models." in rows["notes"]
    causes = {row["cause"]: row["epochs"] for row in rows["undefined"]}
    assert sum(causes.values()) == study_2017.undefined_epochs
    assert set(causes) == {"dead", "empty batch"}


def test_plan_says_how_many_seeds_a_difference_needs(study: Path) -> None:
    done = postertui("plan", "--from", study, "--detect", ".01", "--genre", "com*", "--json")
    comedy, *of_noisier_variant = json.loads(done.stdout)["plan"]
    assert all(row["genre"].startswith("(mean, ") for row in of_noisier_variant)
    assert comedy["genre"] == "Comedy"
    assert 2 <= comedy["seeds"] <= 30
    unknown = postertui("plan", "--from", study, "--detect", ".01", "seed=0", "--genre", "opera")
    assert (unknown.returncode, unknown.stdout) == (3, "")


def test_a_long_table_is_whole_in_a_pipe_and_cut_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pl.DataFrame({"genre": ["Comedy", "日本"] * 150, "epoch": range(300)})
    columns = (
        Column("genre", lambda row: row["genre"]),
        Column("epoch", lambda row: str(row["epoch"]), right=True),
    )
    section = Section("findings", "Findings", frame, columns, notes=("noted",))
    print_sections([section], "table")
    title, heading, *rows, note = capsys.readouterr().out.splitlines()
    assert (title, heading, note) == ("Findings", "genre   epoch", "noted")
    assert rows[:2] == ["Comedy      0", "日本        1"]
    assert len(rows) == 300
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_sections([section], "table")
    assert "… and 100 rows" in capsys.readouterr().out
