"""`postertui import` as a user starts it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from postertui import read_table
from postertui.history.from_runs import history_table
from postertui.history.schema import PUBLISHED_SCHEMA
from postertui.runs.store import Store
from tests.support.analysis_runs import postertui
from tests.support.logs_2017 import log_text, write_logs
from tests.support.study_2017 import Study2017, every_study


def test_logs_become_runs_and_bad_files_are_named(tmp_path: Path) -> None:
    logs = write_logs(
        tmp_path / "logs",
        "model-1-256-256-history.txt",
        "model-4-256-256-l1_0_0e+00-history.txt",
        "comedy_RLROP_100_history.txt",
    )
    (logs / "deeper").mkdir()
    (logs / "deeper" / "scratch_model-9-256-256-history.txt").write_text(log_text(shift=0.1))
    (logs / "model-2-256-256-history.txt").write_text(log_text()[:100])
    (logs / "readme.md").write_text("hello")
    done = postertui("import", logs, "--runs", tmp_path / "runs")
    assert done.returncode == 1
    assert done.stdout == f"4 runs added to {tmp_path / 'runs'}, 2 skipped\n"
    skipped = [line for line in done.stderr.splitlines() if line.startswith("skipped")]
    assert len(skipped) == 2
    assert "model-2-256-256-history.txt: cut off" in skipped[0]
    assert "readme.md: its name fits none of the rules" in skipped[1]

    store = Store(tmp_path / "runs")
    store.refresh()
    assert {run.state for run in store.runs.values()} == {"done"}
    table = history_table(store.runs.values())
    zero = table.filter(pl.col("genre") == "Drama")
    assert zero["Regularizer"].unique().to_list() == ["L1=0"]
    assert zero["name"].unique().to_list() == ["l1-0"]
    assert zero["test_fscore"].to_list()[1] is None
    assert zero["test_tp"].to_list() == [None, None, 80]
    assert zero["train_base_rate"].to_list() == [0.28129362] * 3

    again = postertui("import", logs, "--runs", tmp_path / "runs", "--json")
    report = json.loads(again.stdout)
    assert (report["added"], report["there"], len(report["skipped"])) == ([], 4, 2)


@every_study
def test_the_table_and_logs_of_2017(study_2017: Study2017, tmp_path: Path) -> None:
    runs, table = tmp_path / "runs", study_2017.table_path
    done = postertui("import", table, "--runs", runs)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{study_2017.runs} runs added to {runs}\n"
    columns = list(PUBLISHED_SCHEMA)
    original, imported = read_table(table), read_table(runs)
    assert imported.select(columns).sort(columns).equals(original.select(columns).sort(columns))
    done = postertui("import", study_2017.logs_path, table, "--runs", runs)
    logs = study_2017.logs
    existing = study_2017.runs + logs
    assert done.stdout == f"0 runs added to {runs}, {existing} there already ({logs} completed)\n"
    assert f"{logs} existing runs lacked train_tp" in done.stderr
    assert done.returncode == 0


@every_study
@pytest.mark.slow
@pytest.mark.parametrize("command", ["compare", "leaderboard"])
def test_the_analysis_sees_no_difference(
    command: str, study_2017: Study2017, tmp_path: Path
) -> None:
    table = study_2017.table_path
    postertui("import", table, "--runs", tmp_path / "runs")
    of_table = postertui(command, "--from", table, "--json")
    of_runs = postertui(command, "--runs", tmp_path / "runs", "--json")
    assert of_table.returncode == 0
    assert of_runs.stdout == of_table.stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.tsv", None, "No such file"),
        ("empty", "folder", "is empty"),
        ("notes.doc", "hello", "not a history table"),
        (
            "wrong.tsv",
            "genre\tepoch\nComedy\t1\n",
            "neither a history table, which has the columns",
        ),
        (
            "bad.tsv",
            "Regularizer\tFC1\tFC2\tgenre\tvariant\tepoch\ttest_loss\n"
            "L1=1e-5\t256\t256\tComedy\tbase\t1\t0.5\n"
            "L1=1e-5\t256\t256\tComedy\tbase\ttwo\t0.5\n",
            "line 3, column `epoch`: 'two' is not a whole number",
        ),
    ],
)
def test_a_wrong_input_is_one_line_and_nothing_is_written(
    name: str, content: str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    good = write_logs(tmp_path / "logs", "model-1-256-256-history.txt")
    done = postertui("import", good, path, "--runs", tmp_path / "runs")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert str(path) in line
    assert message in line
    assert not (tmp_path / "runs").exists()


def test_a_folder_of_runs_is_no_folder_of_logs(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", "model-1-256-256-history.txt")
    postertui("import", logs, "--runs", tmp_path / "runs")
    done = postertui("import", tmp_path / "runs", "--runs", tmp_path / "others")
    assert done.returncode == 2
    assert "holds runs" in done.stderr
