"""`postertui compare` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.analysis_runs import GENRES, postertui, write_study
from tests.support.study_2017 import Study2017, every_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "study.tsv")


def test_a_table_for_people(study: Path) -> None:
    done = postertui("compare", "--from", study)
    assert (done.returncode, done.stderr) == (0, "")
    row = next(line for line in done.stdout.splitlines() if line.startswith("other"))
    assert " better " in row
    assert "4/0/0" in row
    assert "from seeds of the same setting" in done.stdout
    assert "One comparison: nothing to correct for" in done.stdout
    assert "dead model" in done.stdout


def test_json_says_all_of_it(study: Path) -> None:
    rows = json.loads(postertui("compare", "--from", study, "--by-genre", "--json").stdout)
    assert rows["metric"] == "test_fscore_soft"
    assert rows["noise"]["source"] == "replicates"
    assert rows["noise"]["degrees_of_freedom"] == 2 * len(GENRES) * 2
    assert [row["verdict"] for row in rows["variants"]] == ["better"]
    assert [row["genre"] for row in rows["genres"]] == list(GENRES)
    assert any("at epoch 5" in note for note in rows["notes"])


def test_csv_and_markdown(study: Path) -> None:
    rows = list(
        csv.DictReader(io.StringIO(postertui("compare", "--from", study, "--format", "csv").stdout))
    )
    assert [row["name"] for row in rows] == ["other"]
    assert 0.04 < float(rows[0]["difference"]) < 0.06
    done = postertui("compare", "--from", study, "--format", "md", "--epoch", "best")
    assert "| other | +0.0" in done.stdout
    assert "chosen on the test cohort" in done.stdout


def test_any_two_and_a_filter(study: Path) -> None:
    done = postertui(
        "compare", "--from", study, "--against", "other", "genre:comedy,drama", "--json"
    )
    (row,) = json.loads(done.stdout)["variants"]
    assert (row["name"], row["reference"], row["genres"], row["verdict"]) == (
        "base",
        "other",
        2,
        "worse",
    )


def test_too_little_data_says_so_instead_of_ranking(tmp_path: Path) -> None:
    table = write_study(tmp_path / "one.tsv", seeds=1)
    done = postertui("compare", "--from", table)
    assert done.returncode == 0
    assert "too little data" in done.stdout
    assert "train more seeds" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--against", "nothing"], 3, "compare with one of them: --against NAME"),
        (["--metric", "f1"], 2, "no metric 'f1'"),
        (["genre:opera"], 3, "matches `genre:opera`"),
        (["--epoch", "0"], 2, "use last, end, best or a number"),
        (["--from", "no-such.tsv"], 2, "no-such.tsv"),
    ],
)
def test_errors_are_one_line(study: Path, words: list[str], code: int, says: str) -> None:
    done = postertui("compare", "--from", study, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@every_study
def test_the_facts_of_a_table_of_2017(study_2017: Study2017) -> None:
    done = postertui("compare", "--from", study_2017.table_path)
    assert done.returncode == 0
    for fact in (
        f"base = reduce-lr = reduce-lr-100: {study_2017.base_noise}",
        f"The median lead of a winner is {study_2017.lead}",
        "0 of 10 genres have a lone winner",
        f"{study_2017.dead_line}, in {study_2017.dead_runs} of {study_2017.runs} runs.",
        study_2017.drama_line,
    ):
        assert fact in done.stdout
    assert " better " not in done.stdout.split("test_fscore at epoch")[0].replace(
        "better/worse/undecided", ""
    )
