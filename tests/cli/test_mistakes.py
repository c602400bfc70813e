"""Mistakes that people make: each is one line that says how to mend it, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.analysis_runs import postertui, write_study


def mistake(*words: str | Path, code: int = 2) -> str:
    done = postertui(*words)
    assert (done.returncode, done.stdout) == (code, ""), done
    [line] = done.stderr.splitlines()
    return line.removeprefix("postertui: ")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("mistakes") / "study.tsv")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for command, code in (("runs", 3), ("pause", 3), ("resume", 3), ("report", 2), ("compare", 2)):
        message = mistake(command, "--runs", runs, code=code)
        assert message.startswith(f"{runs}: no such f")
    assert not runs.exists()


def test_a_file_where_a_folder_should_be(study: Path) -> None:
    assert "is a file, not a folder" in mistake("report", "--from", study, "--out", study)
    assert "is a file; choose a folder" in mistake("demo", "--headless", "--folder", study)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("no/t.tsv", "does not exist; make it first"),
        ("t.xlsx", ".tsv, .csv or .parquet"),
        ("d.tsv", "is a folder; name a file"),
    ],
)
def test_a_table_that_cannot_be_written(
    target: str, says: str, study: Path, tmp_path: Path
) -> None:
    (tmp_path / "d.tsv").mkdir()
    assert says in mistake("export", "--from", study, "-o", tmp_path / target)
    assert [p.name for p in tmp_path.iterdir()] == ["d.tsv"]


def test_a_folder_without_logs(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").touch()
    message = mistake("import", tmp_path, "--runs", tmp_path / "runs")
    assert "none of its 3 files holds a history" in message
    assert not (tmp_path / "runs").exists()


def test_a_page_that_could_not_show_its_figures(study: Path, tmp_path: Path) -> None:
    message = mistake(
        "report", "--from", study, "--html", "--format", "pdf", "--out", tmp_path / "r"
    )
    assert "add --format png" in message
    assert not (tmp_path / "r").exists()


def test_names_that_are_none(study: Path) -> None:
    message = mistake("bars", "--variant", "nix", "--from", study, code=3)
    assert "no variant 'nix'" in message and "choose one of them: --variant NAME" in message
    assert "no metric 'nix'" in mistake("compare", "--metric", "nix", "--from", study)


def test_a_metric_is_called_as_in_a_figure_or_as_in_the_table(study: Path) -> None:
    short, full = (
        postertui("leaderboard", "--from", study, "--metric", m, "--json").stdout
        for m in ("fscore_soft", "test_fscore_soft")
    )
    assert short == full != ""
