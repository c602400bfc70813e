"""Words of the grid: titles of cells, the header, pages, the readout of a cell."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from postertui.dashboard.charts.captions import header, page, readout, strip
from postertui.dashboard.charts.highlights import highlight
from postertui.dashboard.charts.titles import Verdicts, cell_title
from postertui.dashboard.charts.values import values_at
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import Difference, Margin
from postertui.dashboard.state.view_options import ViewOptions
from postertui.system.text import to_single_line
from tests.support.dashboard_runs import MadeRuns, views


def test_a_title_says_value_and_verdict(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", epochs=3, level=0.9)
    (run,) = views(made_runs)
    title = cell_title(("Comedy", "base"), [run], 30, ViewOptions(), cursor=2, selected=False,
                       focused=False, verdicts=Verdicts(lambda _: margin(2)))  # fmt: skip
    text = "".join(t for t, _ in title)
    assert text.startswith(" Comedy")
    value = run.history[1]["test_fscore_soft"]
    assert f"{value:.3f}"[1:] + "▲" in text
    assert len(text) == 30


def margin(epoch: int, value: float = 0.4) -> Margin:
    return Margin(value, 0.3, value - 0.3, 0.01, 0.2, "above", seeds=2, epoch=epoch)


def title_of(runs: list[RunView], options: ViewOptions, cursor: int | None, **more: Any) -> str:
    title = cell_title(("Comedy", "base"), runs, 40, options, cursor=cursor, selected=False,
                       focused=False, **more)  # fmt: skip
    return "".join(t for t, _ in title)


def test_value_and_mark_of_a_title_are_of_one_epoch(made_runs: MadeRuns) -> None:
    for seed in range(2):
        made_runs.add("Comedy", epochs=5, seed=seed, state="done")
    runs, verdicts = views(made_runs), Verdicts(lambda _: margin(3, 0.417))
    assert ".417▲" in title_of(runs, ViewOptions(), None, verdicts=verdicts)
    assert "▲" in title_of(runs, ViewOptions(), 3, verdicts=verdicts)
    assert "▲" not in title_of(runs, ViewOptions(), 4, verdicts=verdicts)


def test_of_runs_of_one_seed_each_the_longest_gives_the_value(made_runs: MadeRuns) -> None:
    longest = msgspec.structs.replace(made_runs.variants["base"], epochs=30)
    made_runs.add("Comedy", epochs=5, state="done")
    made_runs.add("Comedy", longest, epochs=8, state="done")
    runs = views(made_runs)
    verdicts = Verdicts(lambda run: margin(run.epoch, run.epoch / 10))
    for order in (runs, runs[::-1]):
        assert ".800▲" in title_of(order, ViewOptions(), None, verdicts=verdicts)


def test_the_best_of_several_variants_says_so(made_runs: MadeRuns) -> None:
    for variant in ("base", "fc-256x64"):
        made_runs.add("Comedy", variant, epochs=3, state="done")
    assert "best of 2 " in title_of(views(made_runs), ViewOptions(compare="regularizer"), None)


def test_a_difference_has_the_mark_of_compare(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", "no-reg", epochs=3, state="done")
    found = Difference(0.3, 0.35, -0.05, -0.08, -0.02, 0.001, "worse", 1)
    verdicts = Verdicts(difference_of=lambda *_: found)
    assert "-.050▼" in title_of(views(made_runs), ViewOptions(delta=True), None, verdicts=verdicts)


def test_a_header_names_what_differs_from_the_usual() -> None:
    options = ViewOptions(log_y=True, shared_y=False, smoothing=0.8, seeds="mean")
    text = "".join(t for t, _ in header(options, highlight(("base",), ()), "", 120, False))
    for word in (
        "F-score",
        "log y",
        "free y",
        "smooth 0.8",
        "mean of seeds",
        "base rate",
        "always-yes",
    ):
        assert word in text


def test_pages_are_named_only_where_there_are_several() -> None:
    assert page((0, 0), (3, 4), (3, 4)) == ""
    assert page((3, 0), (3, 2), (18, 7)) == "↓4–6/18 →1–2/7"


def test_the_readout_has_all_runs_of_the_cell(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", "base", epochs=3)
    made_runs.add("Comedy", "no-reg", epochs=3)
    runs = views(made_runs)
    options = ViewOptions(mode="overlay")
    row = readout(("Comedy", ""), runs, highlight(("base", "no-reg"), ()), options, 2, 100)
    text = "".join(t for t, _ in row)
    assert "epoch 2" in text
    for run in runs:
        assert f"{run.variant} " + f"{run.history[1]['test_fscore_soft']:.3f}"[1:] in text


def test_the_mean_of_seeds_is_named_and_numbered(made_runs: MadeRuns) -> None:
    for seed in range(2):
        made_runs.add("Comedy", "base", epochs=3, seed=seed)
    made_runs.add("Comedy", "no-reg", epochs=3)
    runs = views(made_runs)
    each = values_at(runs, ViewOptions(mode="overlay"), 2)
    assert [v.name for v in each] == ["base s0", "base s1", "no-reg"]
    mean = values_at(runs, ViewOptions(mode="overlay", seeds="mean"), 2)
    assert [v.name for v in mean] == ["base ×2", "no-reg"]
    assert mean[0].test == pytest.approx(((each[0].test or 0) + (each[1].test or 0)) / 2)
    made_runs.add("Comedy", "fc-256x64", epochs=3)
    by_regularizer = values_at(
        views(made_runs), ViewOptions(compare="regularizer", seeds="mean", mode="overlay"), 2
    )
    # Never a mean over settings: base and fc-256x64 have the same regularizer.
    assert [v.name for v in by_regularizer] == ["base ×2", "fc-256x64", "NoReg"]
    by_seed = values_at(runs, ViewOptions(compare="seed"), None)
    assert [v.name for v in by_seed] == ["base s0", "no-reg s0", "base s1"]


@given(st.text(max_size=30), st.integers(20, 60), st.booleans())
def test_any_name_fits_its_title(name: str, width: int, selected: bool) -> None:
    key = (to_single_line(name), "base")
    title = cell_title(key, [], width, ViewOptions(), cursor=None, selected=selected, focused=False)
    assert cell_len("".join(text for text, _ in title)) == width
    above = "".join(text for text, _ in strip([to_single_line(name)] * 3, width))
    assert cell_len(above) == 3 * (width + 1)
