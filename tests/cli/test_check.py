"""`postertui check` as continuous integration runs it: exit codes, and a table of what failed."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.analysis_runs import postertui, write_study
from tests.support.study_2017 import Study2017, every_study


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A baseline, and a study in which `other` got worse."""
    folder = tmp_path_factory.mktemp("studies")
    return (
        write_study(folder / "baseline.tsv"),
        write_study(folder / "now.tsv", shift=0.0, rng_seed=1),
    )


METRIC = ("--metric", "test_fscore_soft", "--margin", "auto")


def test_worse_beyond_noise_fails_with_a_table(tables: tuple[Path, Path]) -> None:
    baseline, now = tables
    done = postertui("check", "--from", now, "--against", baseline, *METRIC)
    assert (done.returncode, done.stderr) == (1, "failed\n")
    rows = [line for line in done.stdout.splitlines() if line.startswith(("base ", "other "))]
    assert len(rows) == 5
    assert all("beyond noise" in row for row in rows)
    assert "5 of 10 rows passed." in done.stdout


def test_the_same_and_better_pass(tables: tuple[Path, Path]) -> None:
    baseline, now = tables
    same = postertui("check", "--from", baseline, "--against", baseline, *METRIC)
    assert (same.returncode, same.stderr) == (0, "passed\n")
    better = postertui("check", "--from", baseline, "--against", now, *METRIC)
    assert better.returncode == 0


def test_a_margin_in_numbers_and_json(tables: tuple[Path, Path]) -> None:
    baseline, now = tables
    done = postertui("check", "--from", now, "--against", baseline, "--margin", "0.1", "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, result["failures"]) == (0, 0)
    assert len(result["against"]) == 10


def test_requirements(tables: tuple[Path, Path]) -> None:
    """The table says 28 % of dramas and 20 % of comedies: always-yes .438 and .328."""
    requirement = ("--require", "test_fscore_soft > always_yes")
    comedy = postertui("check", "--from", tables[0], *requirement, "--genre", "Comedy")
    assert comedy.returncode == 1
    assert "base" in comedy.stdout
    other = postertui(
        "check", "--from", tables[0], *requirement, "--genre", "comedy", "--variant", "other"
    )
    assert (other.returncode, other.stderr) == (0, "passed\n")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "nothing to check"),
        (["--require", "test_fscore_soft is fine"], 2, "cannot read the requirement"),
        (["--require", "test_loss < 9", "--genre", "Opera"], 3, "no genre matches Opera"),
        (["--against", "absent.tsv"], 2, "absent.tsv"),
        (["--against", "absent.tsv", "--margin", "-1"], 2, "is not a margin"),
    ],
)
def test_what_cannot_be_checked_is_no_failed_check(
    tables: tuple[Path, Path], words: list[str], code: int, says: str
) -> None:
    done = postertui("check", "--from", tables[0], *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr


@every_study
def test_the_comedies_of_2017_do_not_all_pass_their_bar(study_2017: Study2017) -> None:
    words = ("--from", study_2017.table_path, "--require", "test_fscore > always_yes")
    assert postertui("check", *words, "--genre", "Comedy").returncode == 1
    assert postertui("check", *words, "--genre", "Comedy", "--variant", "base").returncode == 0


def test_junit_has_a_test_case_for_every_row(tables: tuple[Path, Path]) -> None:
    baseline, now = tables
    done = postertui(
        "check", "--from", now, "--against", baseline, *METRIC, "--format", "junit",
        "--allow", "other/War",
    )  # fmt: skip
    suite = ElementTree.fromstring(done.stdout)[0]
    assert done.returncode == 1
    assert {k: suite.get(k) for k in ("tests", "failures", "skipped")} == {
        "tests": "10",
        "failures": "4",
        "skipped": "1",
    }
    failures = {
        (case.get("classname"), case.get("name"))
        for case in suite.iter("testcase")
        if case.find("failure") is not None
    }
    assert ("other", "Comedy") in failures
    assert ("other", "War") not in failures


def test_a_setting_that_is_gone_fails_unless_allowed(
    tables: tuple[Path, Path], tmp_path: Path
) -> None:
    baseline, _ = tables
    lines = baseline.read_text().splitlines(keepends=True)
    less = tmp_path / "less.tsv"
    less.write_text("".join(line for line in lines if "War" not in line))
    check = ("check", "--from", less, "--against", baseline, *METRIC)
    assert postertui(*check).returncode == 1
    assert "missing: no run of it" in postertui(*check, "--format", "md").stdout
    assert postertui(*check, "--allow-missing").returncode == 0
    assert postertui(*check, "--allow", "*/war").returncode == 0
    # Of a part, only that part is checked.
    assert postertui(*check, "genre:comedy,drama").returncode == 0
