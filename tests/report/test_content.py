"""What the page says: everything the commands say, of the table it is given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from postertui.data.weights import Weights
from postertui.report.page.content import Chapter, Page, build_page
from postertui.report.page.provenance import provenance, table_digest
from postertui.report.page.settings import differences, settings_sections
from postertui.study import Plateau, Variant
from postertui.system.errors import UserError
from tests.support.analysis_tables import history, soft, stack
from tests.support.pages import GENRES, NASTY, make_page, study
from tests.support.specs import made_spec
from tests.support.study_2017 import Study2017, every_study


def chapter(page: Page, key: str) -> Chapter:
    return next(c for c in page.chapters if c.key == key)


def test_every_part_is_there(tmp_path: Path) -> None:
    page = make_page(tmp_path)
    assert [c.key for c in page.chapters] == [
        "compare",
        "leaderboard",
        "quality",
        "bars",
        "ensemble",
        "diagnosis",
        "settings",
    ]
    assert page.subtitle.startswith("37 runs of 4 variants and 4 genres, 185 epochs; ")
    verdicts = chapter(page, "compare").tables[0].frame
    assert dict(verdicts.select("name", "verdict").iter_rows())["l2-1e-4"] == "better"
    assert any("1 better (l2-1e-4)" in line for line in page.summary)
    assert any("come from dead models" in line for line in page.summary)
    assert chapter(page, "compare").folded[0].frame.height >= 2 * len(GENRES)


def test_without_base_the_leader_is_the_reference() -> None:
    table = study().filter(pl.col("name") != "base")
    page = build_page(table, title="x")
    assert chapter(page, "compare").tables[0].frame["reference"].unique().to_list() == ["l2-1e-4"]
    assert "2017's stands in" in chapter(page, "settings").tables[0].notes[0]


def test_too_little_data_says_so_in_its_place() -> None:
    page = build_page(soft("base", "Comedy", 0, 0.4), title="x")
    assert "nothing to compare" in chapter(page, "compare").notes[0]
    assert "Noise: unknown" in page.summary[0]
    undefined = build_page(history(test_fscore=None), title="x")
    assert "no genre has both" in chapter(undefined, "ensemble").notes[0]


def test_a_page_of_a_loss_has_no_bars() -> None:
    page = build_page(study(), title="x", metric="test_loss")
    assert "bars" not in [c.key for c in page.chapters]
    with pytest.raises(UserError, match="no metric 'test_f1'"):
        build_page(study(), title="x", metric="test_f1")


def test_differences_from_base() -> None:
    assert differences(Variant(name="base")) == ""
    changed = Variant(name="x", regularizer="l2", strength=1e-4, schedule=Plateau(), epochs=20)
    assert differences(changed) == (
        "regularizer l2, λ 1e-4, schedule plateau (factor 0.2, patience 1, min_rate 0.001, "
        "min_delta 0.0001), epochs 20"
    )


def test_settings_of_own_variants_go_before_what_the_table_tells() -> None:
    table = stack(soft("base", "Comedy", 0, 0.4), soft("wide", "Comedy", 0, 0.4))
    own = {"base": Variant(name="base", epochs=5), "wide": Variant(name="wide", epochs=5, fc1=4096)}
    variants, base = settings_sections(table, own)
    assert dict(variants.frame.select("name", "differs").iter_rows())["wide"] == "fc1 4096"
    assert dict(base.frame.iter_rows())["epochs"] == "5"


def test_provenance_of_trained_runs() -> None:
    spec = made_spec(
        data="/secret/place/data",
        data_fingerprint="f1n9e7",
        weights=Weights(kind="imagenet", digest="d19e57"),
        versions={"tensorflow": "2.21.0"},
    )
    provenance_lines = dict(provenance(study(), origin="runs", specs=[spec, spec], commands=["c"]))
    assert provenance_lines["Data"] == "fingerprint f1n9e7"
    assert provenance_lines["Weights"] == "imagenet, digest d19e57"
    assert provenance_lines["Cohorts"] == "train 0, test 2"
    assert provenance_lines["Trained with"] == "tensorflow 2.21.0"
    assert "polars " in provenance_lines["This page"]
    assert provenance_lines["Command"] == "c"
    assert not any("secret" in text for text in provenance_lines.values())


def test_the_digest_is_of_the_rows_and_not_of_their_order() -> None:
    table = study()
    assert table_digest(table) == table_digest(table.reverse())
    assert table_digest(table) != table_digest(table.with_columns(pl.col("test_loss") + 1e-9))


def test_names_from_the_table_stay_as_they_are() -> None:
    page = build_page(study(), title="x")
    assert NASTY in chapter(page, "settings").tables[0].frame["name"].to_list()


@every_study
def test_a_table_of_2017_has_every_chapter_without_confusion_counts(study_2017: Study2017) -> None:
    page = build_page(study_2017.table(), title="model_perf.tsv")
    summary = " ".join(page.summary)
    for fact in (
        study_2017.dead_line,
        study_2017.undefined_line,
        f"median lead of a winner is {study_2017.lead}",
        study_2017.drama_line,
        f"none better, {study_2017.worse} worse",
        f"macro-F1 of {study_2017.macro_f1}",
    ):
        assert fact in summary
    assert "implied by accuracy" in chapter(page, "ensemble").tables[0].notes[-1]


def test_analysis_and_page_load_no_framework(tmp_path: Path) -> None:
    """In a process of its own, since the tests here load all sorts of things."""
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.support.pages import make_page\n"
        "from postertui.report.page.files import write_page\n"
        "write_page(make_page(Path(sys.argv[1])), Path(sys.argv[1]))\n"
        "heavy = {'tensorflow', 'keras', 'jax', 'textual', 'plotnine', 'matplotlib', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"
