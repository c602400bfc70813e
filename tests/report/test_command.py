"""`postertui report --html --markdown`: the page around the figures that were drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.analysis_runs import postertui, write_study
from tests.support.study_2017 import Study2017, every_study

pytestmark = pytest.mark.slow


def test_a_page_of_a_runs_folder(tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    imported = postertui("import", write_study(tmp_path / "study.tsv"), "--runs", runs)
    assert imported.returncode == 0, imported.stderr
    words = ("report", "--all", "--runs", runs, "--out", out, "--html", "--markdown")
    done = postertui(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [str(out / "index.html"), str(out / "report.md")]
    html, markdown = (out / "index.html").read_text(), (out / "report.md").read_text()
    drawn = {path.stem for path in out.glob("*.png")}
    assert {"base", "models"} <= drawn
    assert set(re.findall(r'id="figure-([a-z-]+)"', html)) == drawn
    assert html.count('src="data:image/webp;base64,') == len(drawn)
    assert all(f"({name}.png)" in markdown for name in drawn)
    for text in (html, markdown):
        assert "1 better (other)" in text
        assert re.search(r"sha256 [0-9a-f]{64}", text)
        assert "postertui report --figure models --all --from runs --html --markdown" in text
        assert str(tmp_path) not in text
    again = postertui(*words)
    assert again.returncode == 0
    assert (out / "index.html").read_text() == html


def test_a_page_without_a_figure_and_none_without_a_run(tmp_path: Path) -> None:
    table, out = write_study(tmp_path / "study.tsv"), tmp_path / "out"
    words = ("report", "--figure", "long-run", "--from", table, "--out", out, "--html")
    done = postertui(*words)
    assert done.returncode == 3
    assert "not drawn" in done.stderr
    assert "1 better (other)" in (out / "index.html").read_text()
    nothing = postertui(*words[:-2], tmp_path / "none", "--html", "genre:opera")
    assert nothing.returncode == 3
    assert not (tmp_path / "none" / "index.html").exists()


def test_the_page_covers_what_was_chosen(tmp_path: Path) -> None:
    table, out = write_study(tmp_path / "study.tsv"), tmp_path / "out"
    narrow = ("--genre", "comedy", "--variant", "base")
    postertui("report", "--figure", "long-run", *narrow, "--from", table, "--out", out, "--html")
    html = (out / "index.html").read_text()
    assert "3 runs of 1 variant and 1 genre, 15 epochs;" in html
    assert "Drama" not in html


@every_study
def test_a_page_of_a_table_without_confusion_counts(study_2017: Study2017, tmp_path: Path) -> None:
    table = study_2017.table_path
    done = postertui("report", "--figure", "base", "--from", table, "--out", tmp_path, "--html")
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "index.html").read_text()
    assert study_2017.dead_line in html
    assert "implied by accuracy and F" in html
    assert len(html) < 3_000_000
