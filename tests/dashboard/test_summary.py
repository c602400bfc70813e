"""The summary: its numbers are the analysis' own, its matrix legible, its keys short."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from postertui.analysis.baselines import margins
from postertui.analysis.compare import compare
from postertui.dashboard.state.run_view import RunView, view_of
from postertui.dashboard.state.summary import StudySummary, summarize
from postertui.dashboard.table.marks import BASELINE_MARKS, DIFFERENCE_MARKS
from postertui.dashboard.table.matrix import make_matrix, thousandths, wrap_name
from postertui.dashboard.table.matrix_window import MatrixWindow
from postertui.dashboard.table.sparkline import sparkline
from postertui.dashboard.text_width import cut_middle
from postertui.history.from_runs import history_table
from postertui.runs.store import Store
from postertui.study import load_study
from tests.support.dashboard_driver import LARGE, SMALL, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns

VARIANTS = ("base", "l2-1e-2", "l2-1e-4", "no-reg")
GENRES = ("Comedy", "Drama", "Horror", "Romance", "Thriller")


@pytest.fixture
def study(tmp_path: Path) -> MadeRuns:
    """Five genres of four variants with three seeds each; `l2-1e-2` is far worse."""
    made_runs = MadeRuns(tmp_path / "runs")
    for genre in GENRES:
        for variant in VARIANTS:
            for seed in (0, 1, 2):
                level = 0.15 if variant == "l2-1e-2" else 0.5
                made_runs.add(genre, variant, seed=seed, epochs=10, state="done", level=level)
    return made_runs


def read(made: MadeRuns) -> tuple[pl.DataFrame, list[RunView]]:
    store = Store(made.folder, cache=False)
    store.refresh()
    return history_table(store.runs.values()), [view_of(run) for run in store.runs.values()]


def test_numbers_are_those_of_compare_and_bars(study: MadeRuns) -> None:
    table, runs = read(study)
    summary = summarize(table)
    matrix = make_matrix(summary, runs, "f")
    cells = compare(table, metric=summary.metric).cells
    assert cells.height == len(summary.differences) == len(GENRES) * 3
    for row in cells.iter_rows(named=True):
        (number, _), (mark, _) = matrix.cell(row["genre"], row["name"])
        assert number == thousandths(row["difference"])
        assert mark == DIFFERENCE_MARKS[row["verdict"]]
    assert {matrix.cell(g, "l2-1e-2")[1][0] for g in GENRES} == {"▼"}
    for row in margins(table, summary.metric).iter_rows(named=True):
        margin = summary.margins[row["genre"], row["name"]]
        assert (margin.value, margin.verdict) == (row["value"], row["verdict"])
    assert matrix.counts("l2-1e-2") == (0, len(GENRES))


def test_a_longer_and_a_failed_run_have_verdicts_of_their_own(study: MadeRuns) -> None:
    failed = study.add("Comedy", "base", seed=9, epochs=2, state="failed", level=0.1)
    table, _ = read(study)
    summary = summarize(table)
    own = summary.margin_of(failed, "Comedy", "base")
    assert own is not None
    assert (own.epoch, own.seeds) == (2, 1)
    of_variant = summary.margin_of("another", "Comedy", "base")
    assert of_variant is not None
    assert (of_variant.epoch, of_variant.seeds) == (10, 3)


def test_a_run_that_was_cancelled_early_is_no_noise_of_a_longer_one(study: MadeRuns) -> None:
    longer = study.add("Comedy", "base", seed=8, epochs=30, state="done", level=0.5)
    early = study.add("Comedy", "base", seed=9, epochs=1, state="cancelled", level=0.02)
    table, _ = read(study)
    summary = summarize(table)
    common, own = summary.margins["Comedy", "base"], summary.margin_of(longer, "Comedy", "base")
    assert own is not None and own.low is not None and common.low is not None
    assert (own.epoch, own.verdict, common.verdict) == (30, "above", "above")
    # One run is less certain than three, and not more than that.
    assert own.value - own.low < 3 * (common.value - common.low)
    assert summary.margin_of(early, "Comedy", "base") != own


def test_before_the_analysis_is_there_nothing_is_claimed(study: MadeRuns) -> None:
    _, runs = read(study)
    matrix = make_matrix(StudySummary(), runs, "f")
    assert matrix.sentences("Comedy", "base")[0][0] == "Comedy: computing …"
    title = MatrixWindow(matrix, 80, 10, 2).lines()[0][0][0]
    assert title == " computing …"
    none = make_matrix(StudySummary(problem="no run has finished an epoch"), runs, "f")
    assert none.sentences("Comedy", "base")[0][0] == "Comedy: no run has finished an epoch"


def test_what_compare_leaves_out_has_no_difference(study: MadeRuns) -> None:
    study.add("Comedy", "bce", epochs=10, state="done", dead=True)
    study.add("Drama", "bce", epochs=7, state="failed")
    table, runs = read(study)
    matrix = make_matrix(summarize(table), runs, "f")
    assert ("Comedy", "bce") not in matrix.summary.differences
    assert matrix.cell("Comedy", "bce")[0] == ("dead", "failed")
    assert matrix.cell("Drama", "bce") == (("–", "dim"), ("✗", "failed"))


def test_without_a_reference_it_says_so(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    for variant in ("no-reg", "bce"):
        made_runs.add("Comedy", variant, epochs=3, state="done")
    table, runs = read(made_runs)
    summary = summarize(table)
    assert "base" in summary.problem
    assert make_matrix(summary, runs, "f").variants == ("bce", "no-reg")
    assert summarize(table.clear()).problem


def test_a_running_cell_is_live_without_a_verdict(study: MadeRuns) -> None:
    study.add("Comedy", "bce", epochs=4, state="running")
    table, runs = read(study)
    matrix = make_matrix(summarize(table), runs, "f")
    live = matrix.live_difference("Comedy", "bce")
    assert live is not None
    assert live[1] == 4
    (number, style), (mark, _) = matrix.cell("Comedy", "bce")
    assert (number, style, mark) == (thousandths(live[0]), "dim", "▸")
    assert "no verdict yet" in matrix.sentences("Comedy", "bce")[1][0]
    study.close()


@pytest.mark.parametrize(("width", "lines"), [(5, 2), (7, 2), (7, 3)])
def test_no_two_variants_look_alike(width: int, lines: int) -> None:
    names = load_study("milestone4").variants
    heads = {tuple(wrap_name(name, width, lines)) for name in names}
    assert len(heads) == len(names)
    assert all(len(line) <= width for head in heads for line in head)


def test_names_break_at_dashes_but_not_in_exponents() -> None:
    assert wrap_name("l2-1e-4", 5, 2) == ["l2-", "1e-4"]
    assert cut_middle("reduce-lr-256x1024", 7) == "red…024"


def test_a_sparkline_goes_from_lowest_to_highest() -> None:
    assert sparkline([0.1, None, 0.2, 0.3], 6) == "▁ ▅█  "
    assert sparkline([], 4) == "    "
    assert sparkline([0.5, 0.5], 2) == "▅▅"


@both_sizes
async def test_the_first_screen_answers(study: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(study.folder, size, layout="auto") as d:
        await d.until(lambda: d.app.model.summary.metric, "the analysis")
        await d.settle()
        assert d.app.model.options.layout == "summary"
        matrix = d.app.main.matrix
        assert matrix.has_focus
        assert matrix.current == ("Drama", "base")
        for word in ("Drama", "Comedy", "1e-2", "5▼", "better▲ worse▼", "epoch 10"):
            assert word in d.text
        # The sentence answers for the genre and for the cell.
        await d.press("down", "right")
        assert matrix.current == ("Comedy", "l2-1e-4")
        difference = d.app.model.summary.differences["Comedy", "l2-1e-4"]
        assert difference.p_adjusted is not None
        assert difference.verdict in d.text
        await d.press("enter")
        assert "Comedy · l2-1e-4" in d.text
        await d.press("escape", "3")
        assert d.app.main.table.has_focus
        assert not matrix.is_on_screen
        await d.press("2")
        assert d.app.main.grid.is_on_screen
        await d.press("1")
        assert matrix.has_focus


async def test_a_young_study_opens_with_curves(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Comedy", epochs=3, state="running")
    async with dashboard(made_runs.folder, SMALL, layout="auto") as d:
        await d.until(lambda: d.app.model.options.layout == "both", "curves")
    made_runs.close()


async def test_marks_are_the_analysis_own_everywhere(study: MadeRuns) -> None:
    async with dashboard(study.folder, LARGE) as d:
        await d.until(lambda: d.app.model.summary.metric, "the analysis")
        await d.settle()
        for run in d.app.model.runs.values():
            margin = d.app.model.summary.margins[run.genre, run.variant]
            assert d.app.model.verdict(run) == margin.verdict
        current = d.app.main.table.current
        assert current is not None
        assert BASELINE_MARKS[d.app.model.verdict(current)] in d.text
        own = d.app.model.margin(current)
        assert own is not None
        await d.until(lambda: own.sentence in d.text, "the sentence below the table")


def test_an_empty_summary_has_no_genres() -> None:
    assert make_matrix(StudySummary(), (), "f").genres == ()
