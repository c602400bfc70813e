"""What a cell shows for its runs: which curves, which references, which values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from postertui.dashboard.charts.axes import Range
from postertui.dashboard.charts.captions import header, page, readout, strip
from postertui.dashboard.charts.cell import draw_cell
from postertui.dashboard.charts.highlights import MOST, highlight
from postertui.dashboard.charts.panels import (
    Curve,
    Panel,
    ReferenceLine,
    common_reached_epoch,
    epoch_range,
    panel_of,
    reached_epoch,
    smooth,
    t_975,
    value_range,
)
from postertui.dashboard.charts.plot import PlotSettings, spread_rows
from postertui.dashboard.charts.titles import Verdicts, cell_title
from postertui.dashboard.charts.values import values_at
from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.state.arrangement import arrange
from postertui.dashboard.state.delta_basis import DeltaBasis
from postertui.dashboard.state.metrics import METRICS
from postertui.dashboard.state.run_view import RunView, view_of
from postertui.dashboard.state.summary import Difference, Margin
from postertui.dashboard.state.view_options import ViewOptions, epoch_range_error, parse_epochs
from postertui.runs.store import Store
from postertui.system.text import to_single_line
from tests.support.dashboard_runs import MadeRuns


@pytest.fixture
def made(tmp_path: Path) -> Iterator[MadeRuns]:
    runs = MadeRuns(tmp_path / "runs")
    yield runs
    runs.close()


def views(made: MadeRuns) -> list[RunView]:
    store = Store(made.folder, cache=False)
    store.refresh()
    return [view_of(store.runs[name]) for name in sorted(store.runs)]


def change(options: ViewOptions, **changes: object) -> ViewOptions:
    return msgspec.structs.replace(options, **changes)


def test_facets_are_genres_by_variants_base_first_numbers_by_value(made: MadeRuns) -> None:
    for genre in ("Horror", "Comedy"):
        for variant in ("l2-1e-4", "l2-1e-2", "base"):
            made.add(genre, variant)
    grid = arrange(views(made), ViewOptions())
    assert grid.rows == ("Comedy", "Horror")
    assert grid.columns == ("base", "l2-1e-4", "l2-1e-2")
    assert len(grid.members["Comedy", "base"]) == 1


def test_overlaid_there_is_one_cell_a_genre(made: MadeRuns) -> None:
    made.add("Comedy", "base", epochs=3)
    made.add("Comedy", "no-reg", epochs=3)
    grid = arrange(views(made), ViewOptions(mode="overlay"))
    assert len(grid.members["Comedy", ""]) == 2
    panel = panel_of(views(made), grid.groups, ViewOptions(mode="overlay"))
    assert {(c.side, c.group) for c in panel.curves} == {
        ("train", 0), ("test", 0), ("train", 1), ("test", 1)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("compare", "columns"),
    [
        ("regularizer", ("L1=1e-5", "NoReg")),
        ("fc", ("256×256",)),
        ("seed", ("seed 0", "seed 1")),
        ("family", ("base", "regularizer")),
    ],
)
def test_any_column_can_be_compared(made: MadeRuns, compare: str, columns: tuple[str, ...]) -> None:
    made.add("Comedy", "base")
    made.add("Comedy", "no-reg", seed=1)
    assert set(arrange(views(made), ViewOptions(compare=compare)).columns) == set(columns)


def test_every_metric_is_drawn_from_its_own_field(made: MadeRuns) -> None:
    made.add("Comedy", epochs=2)
    (run,) = views(made)
    for metric, field in {
        "f": "fscore_soft", "fscore": "fscore", "soft": "fscore_soft", "hard": "fscore_hard",
        "loss": "loss", "accuracy": "accuracy",
    }.items():  # fmt: skip
        panel = panel_of([run], ("base",), ViewOptions(metric=metric))
        for curve in panel.curves:
            assert curve.y.tolist() == [e[f"{curve.side}_{field}"] for e in run.history]
    (rate,) = panel_of([run], ("base",), ViewOptions(metric="learning_rate")).curves
    assert rate.y.tolist() == [1e-3, 1e-3]
    assert {"f", "fscore", "soft", "hard", "loss", "accuracy", "learning_rate"} <= set(METRICS)


def test_references_are_the_base_rates_and_always_yes(made: MadeRuns) -> None:
    made.add("Comedy", epochs=2)
    (run,) = views(made)
    rate = run.test_base_rate
    assert rate is not None
    levels = {level.kind: level.y for level in panel_of([run], ("base",), ViewOptions()).references}
    assert levels["base-test"] == rate
    assert levels["base-train"] == run.train_base_rate
    assert levels["always-yes"] == pytest.approx(2 * rate / (1 + rate))
    # They are no bars for a loss.
    assert not panel_of([run], ("base",), ViewOptions(metric="loss")).references
    assert not panel_of([run], ("base",), ViewOptions(references=False)).references
    only_test = panel_of([run], ("base",), ViewOptions(train=False))
    assert {level.kind for level in only_test.references} == {"base-test", "always-yes"}
    assert {curve.side for curve in only_test.curves} == {"test"}


def test_undefined_values_are_gaps(made: MadeRuns) -> None:
    made.add("Comedy", epochs=4, gaps=(2,))
    panel = panel_of(views(made), ("base",), ViewOptions(train=False))
    assert np.isnan(panel.curves[0].y).tolist() == [False, True, False, False]


def test_epochs_can_be_chosen(made: MadeRuns) -> None:
    made.add("Comedy", epochs=8)
    options = ViewOptions(first_epoch=3, last_epoch=5)
    assert panel_of(views(made), ("base",), options).curves[0].x.tolist() == [3, 4, 5]
    assert epoch_range(views(made), options) == (3, 5)
    assert epoch_range(views(made), ViewOptions()) == (1, 10)


@pytest.mark.parametrize(
    ("text", "expected"), [("5-20", (5, 20)), ("5-", (5, 0)), ("-20", (0, 20)), ("", (0, 0))]
)
def test_a_range_of_epochs_as_typed(text: str, expected: tuple[int, int]) -> None:
    assert parse_epochs(text) == expected
    assert not epoch_range_error(text)


@pytest.mark.parametrize("text", ["five", "20-5", "5-5", "1-2-3"])
def test_a_mistaken_range_of_epochs_is_said(text: str) -> None:
    assert epoch_range_error(text)


def test_smoothing_has_no_bias_and_keeps_gaps() -> None:
    smoothed = smooth(np.array([0.5, 0.5, math.nan, 0.5]), 0.9)
    assert smoothed[[0, 1, 3]] == pytest.approx([0.5, 0.5, 0.5])
    assert math.isnan(smoothed[2])
    step = smooth(np.array([0.0, 1.0, 1.0]), 0.5)
    assert step == pytest.approx([0, 2 / 3, 6 / 7])


def test_curves_are_smoothed_as_asked(made: MadeRuns) -> None:
    made.add("Comedy", epochs=5)
    rough = panel_of(views(made), ("base",), ViewOptions()).curves[1].y
    smoothed = panel_of(views(made), ("base",), ViewOptions(smoothing=0.8)).curves[1].y
    assert smoothed == pytest.approx(smooth(rough, 0.8))
    assert not np.allclose(smoothed, rough)


def test_the_mean_of_seeds_and_its_interval(made: MadeRuns) -> None:
    from scipy import stats

    options = ViewOptions(seeds="mean", train=False)
    for seed in range(5):
        made.add("Comedy", epochs=4, seed=seed)
        if seed == 1:
            (few,) = panel_of(views(made), ("base",), options).curves
    runs = views(made)
    (curve,) = panel_of(runs, ("base",), options).curves
    values = np.array([[e["test_fscore_soft"] for e in run.history] for run in runs])
    low, high = stats.t.interval(0.95, 4, values.mean(axis=0), stats.sem(values))
    assert curve.low is not None
    assert curve.high is not None
    assert curve.y == pytest.approx(values.mean(axis=0))
    assert curve.low == pytest.approx(np.maximum(low, values.min(axis=0)), abs=1e-4)
    assert curve.high == pytest.approx(np.minimum(high, values.max(axis=0)), abs=1e-4)
    assert len(panel_of(runs, ("base",), ViewOptions(train=False)).curves) == 5
    # Two runs have no interval that is worth drawing: from the lower to the higher one.
    assert few.low is not None
    assert few.high is not None
    assert (few.high - few.low == pytest.approx(2 * (few.high - few.y))) and (few.low < 1).all()


def test_a_mean_is_never_over_settings(made: MadeRuns) -> None:
    for variant in ("base", "fc-256x64"):
        for seed in (0, 1):
            made.add("Comedy", variant, epochs=3, seed=seed)
    options = ViewOptions(seeds="mean", train=False, compare="regularizer")
    curves = panel_of(views(made), ("L1=1e-5",), options).curves
    assert len(curves) == 2  # base and fc-256x64 have the same regularizer


def test_quantiles_of_student_t() -> None:
    from scipy import stats

    df = np.array([1, 2, 5, 10, 20, 21, 30, 100, 10_000])
    assert t_975(df) == pytest.approx(stats.t.ppf(0.975, df), rel=2e-3)


def test_one_range_holds_all_cells(made: MadeRuns) -> None:
    made.add("Comedy", epochs=4, level=0.3)
    made.add("Drama", epochs=4, level=0.9)
    panels = [panel_of([run], ("base",), ViewOptions()) for run in views(made)]
    scale = value_range(panels, ViewOptions(whole_y=True))
    assert scale.low == 0
    assert scale.high >= max(float(c.y.max()) for p in panels for c in p.curves)


def test_a_range_is_typical_of_the_test_curves_and_says_what_it_cuts() -> None:
    test = np.concatenate([np.full(98, 0.4), [0.41, 5.0]])
    curves = (Curve("train", 0, np.arange(100.0), np.full(100, 0.9)),
              Curve("test", 0, np.arange(100.0), test))  # fmt: skip
    panel = Panel(curves=curves, references=(ReferenceLine("base-test", 0.2),))
    scale = value_range([panel], ViewOptions())
    assert scale.low <= 0.2
    assert 0.4 < scale.high < 0.6
    assert panel.count_outside(scale) == 1
    assert value_range([panel], ViewOptions(whole_y=True)).high >= 5
    rows = draw_cell(panel, (("x", "title"),), 40, 8, PlotSettings((0, 99), scale))
    assert "↑" in "".join(t for t, _ in rows[1])


def test_x_goes_to_what_was_reached(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Comedy", epochs=10, state="done")
    runs = {r.variant: r for r in views(made_runs)}
    assert reached_epoch(runs["base"]) == 10
    made_runs.add("Comedy", "no-reg", epochs=3, state="running")
    made_runs.add("Comedy", "bce")
    runs = {r.variant: r for r in views(made_runs)}
    assert reached_epoch(runs["no-reg"]) == 10
    assert reached_epoch(runs["bce"]) == 0
    assert common_reached_epoch(runs.values()) == 10
    made_runs.close()


def test_a_logarithmic_range_leaves_out_what_has_no_place() -> None:
    panel = Panel(curves=(Curve("test", 0, np.arange(3.0), np.array([0.0, 0.02, 0.5])),))
    scale = value_range([panel], ViewOptions(metric="loss", log_y=True))
    assert (scale.low, scale.high) == (0.01, 1.0)


def test_natural_order() -> None:
    names = ["l2-1e-2", "fc-1024x64", "base", "l2-1e-10", "fc-256x64"]
    assert sorted(names, key=natural_key) == [
        "base", "fc-256x64", "fc-1024x64", "l2-1e-10", "l2-1e-2"
    ]  # fmt: skip


# Cells


def look(**changes: object) -> PlotSettings:
    return PlotSettings(**({"epochs": (1, 10), "scale": Range(0.0, 0.5)} | changes))  # type: ignore[arg-type]


def rows_of(panel: Panel, width: int, height: int, look_: PlotSettings) -> list[str]:
    rows = draw_cell(panel, ((" " * width, "title"),), width, height, look_)
    return ["".join(text for text, _ in row) for row in rows]


def line(y: list[float]) -> Panel:
    return Panel(curves=(Curve("test", 0, np.arange(1.0, len(y) + 1), np.array(y)),))


def test_a_cell_of_six_rows_has_four_of_plot() -> None:
    rows = rows_of(line([0.02, 0.48] * 5), 20, 6, look())
    assert len(rows) == 6
    plotted = [row[5:] for row in rows[1:5]]
    assert all(set(row) & {chr(c) for c in range(0x2801, 0x2900)} for row in plotted)
    assert rows[5].split() == ["1", "10"]


@given(
    st.integers(20, 80),
    st.integers(6, 24),
    st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=30),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 10)),
)
def test_every_row_is_as_wide_as_the_cell(
    width: int, height: int, y: list[float], plain: bool, cursor: int | None
) -> None:
    drawn = rows_of(line(y), width, height, look(ascii_only=plain, cursor=cursor))
    assert len(drawn) == height
    assert {cell_len(row) for row in drawn} == {width}
    if plain:
        assert all(row.replace("│", "|").isascii() for row in drawn)


def test_the_cursor_is_at_its_epoch() -> None:
    rows = draw_cell(line([0.2] * 10), ((" " * 25, "title"),), 25, 6, look(cursor=10))
    at = 0
    marked = set()
    for text, style in rows[1]:
        if style.endswith("+cursor"):
            marked |= set(range(at, at + len(text)))
        at += len(text)
    assert marked == {24}


def test_overlaid_curves_end_in_their_letter_and_differ_in_ascii() -> None:
    curves = tuple(
        Curve("test", group, np.arange(1.0, 11), np.full(10, 0.1 + 0.2 * group))
        for group in range(2)
    )
    rows = rows_of(Panel(curves=curves), 40, 10, look(overlaid=True, letters=True))
    assert sum(row.count("a") for row in rows) == sum(row.count("b") for row in rows) == 1
    plain = rows_of(Panel(curves=curves), 40, 10, look(overlaid=True, ascii_only=True))
    assert sum(row.count("A") for row in plain) > 5
    assert sum(row.count("B") for row in plain) > 5


def test_few_curves_are_in_colour_and_the_rest_is_counted() -> None:
    groups = tuple(f"v{i}" for i in range(20))
    few = highlight(groups, ["v12", "v0", "v12", "gone", "v3"])
    assert few.names == ("v12", "v0", "v3")
    assert (few.place(12), few.place(5), few.others) == (0, None, 17)
    assert len(highlight(groups, groups).names) == MOST
    assert highlight(groups[:5], ["v3"]).names == groups[:5]
    words = "".join(t for t, _ in header(ViewOptions(mode="overlay"), few, "", 120, False))
    assert "a━ v12" in words
    assert "17 more grey" in words
    narrow = "".join(t for t, _ in header(ViewOptions(mode="overlay"), few, "", 50, False))
    assert "+" in narrow
    assert "17 more grey" in narrow


def test_names_stand_at_the_ends_of_the_curves_each_in_a_row_of_its_own() -> None:
    groups = tuple(f"variant-{i}" for i in range(20))
    curves = tuple(
        Curve("test", group, np.arange(1.0, 11), np.full(10, 0.3 + 0.001 * group))
        for group in range(20)
    )
    few = highlight(groups, ["variant-7", "variant-0", "variant-19"])
    settings = look(overlaid=True, letters=True, highlights=few)
    rows = draw_cell(Panel(curves=curves), ((" " * 60, "title"),), 60, 12, settings)
    named = {text.strip(): style for row in rows for text, style in row if "variant" in text}
    assert named == {"a variant-7": "group-0", "b variant-0": "group-1", "c variant-19": "group-2"}
    # Grey ones are behind those in colour, and there.
    styles = {style for row in rows for text, style in row if text.strip()}
    assert {"other", "group-0"} <= styles
    assert {cell_len("".join(t for t, _ in row)) for row in rows} == {60}


@given(st.lists(st.integers(0, 9), max_size=14))
def test_rows_are_spread_without_overlap(rows: list[int]) -> None:
    spread = spread_rows(sorted(rows), 10)
    assert len(spread) == min(len(rows), 10) == len(set(spread))
    assert spread == sorted(spread)
    assert all(0 <= row < 10 for row in spread)


def test_differences_are_to_the_mean_of_the_reference(made: MadeRuns) -> None:
    for seed in range(2):
        made.add("Comedy", "base", epochs=4, seed=seed)
    made.add("Comedy", "no-reg", epochs=6)
    runs = views(made)
    base = [r for r in runs if r.variant == "base"]
    (other,) = [r for r in runs if r.variant == "no-reg"]
    basis = DeltaBasis(tuple(base), 0.02)
    panel = panel_of([other], ("no-reg",), ViewOptions(delta=True), basis)
    (curve,) = panel.curves
    for epoch in range(1, 5):
        mean = sum(r.at(epoch) or 0 for r in base) / 2
        assert curve.y[epoch - 1] == pytest.approx((other.at(epoch) or 0) - mean)
    assert np.isnan(curve.y[4:]).all()
    assert [level.kind for level in panel.references] == ["zero"]
    scale = value_range([panel], ViewOptions(delta=True))
    assert scale.low <= -0.02
    assert scale.high >= 0.02
    rows = draw_cell(panel, ((" " * 30, "title"),), 30, 10, look(scale=scale))
    assert {"zero", "noise"} <= {style for row in rows for _, style in row}


# Words


def test_a_title_says_value_and_verdict(made: MadeRuns) -> None:
    made.add("Comedy", epochs=3, level=0.9)
    (run,) = views(made)
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


def test_value_and_mark_of_a_title_are_of_one_epoch(made: MadeRuns) -> None:
    for seed in range(2):
        made.add("Comedy", epochs=5, seed=seed, state="done")
    runs, verdicts = views(made), Verdicts(lambda _: margin(3, 0.417))
    assert ".417▲" in title_of(runs, ViewOptions(), None, verdicts=verdicts)
    assert "▲" in title_of(runs, ViewOptions(), 3, verdicts=verdicts)
    assert "▲" not in title_of(runs, ViewOptions(), 4, verdicts=verdicts)


def test_the_best_of_several_variants_says_so(made: MadeRuns) -> None:
    for variant in ("base", "fc-256x64"):
        made.add("Comedy", variant, epochs=3, state="done")
    assert "best of 2 " in title_of(views(made), ViewOptions(compare="regularizer"), None)


def test_a_difference_has_the_mark_of_compare(made: MadeRuns) -> None:
    made.add("Comedy", "no-reg", epochs=3, state="done")
    found = Difference(0.3, 0.35, -0.05, -0.08, -0.02, 0.001, "worse", 1)
    verdicts = Verdicts(difference_of=lambda *_: found)
    assert "-.050▼" in title_of(views(made), ViewOptions(delta=True), None, verdicts=verdicts)


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


def test_the_readout_has_all_runs_of_the_cell(made: MadeRuns) -> None:
    made.add("Comedy", "base", epochs=3)
    made.add("Comedy", "no-reg", epochs=3)
    runs = views(made)
    options = ViewOptions(mode="overlay")
    row = readout(("Comedy", ""), runs, highlight(("base", "no-reg"), ()), options, 2, 100)
    text = "".join(t for t, _ in row)
    assert "epoch 2" in text
    for run in runs:
        assert f"{run.variant} " + f"{run.history[1]['test_fscore_soft']:.3f}"[1:] in text


def test_the_mean_of_seeds_is_named_and_numbered(made: MadeRuns) -> None:
    for seed in range(2):
        made.add("Comedy", "base", epochs=3, seed=seed)
    made.add("Comedy", "no-reg", epochs=3)
    runs = views(made)
    each = values_at(runs, ViewOptions(mode="overlay"), 2)
    assert [v.name for v in each] == ["base s0", "base s1", "no-reg"]
    mean = values_at(runs, ViewOptions(mode="overlay", seeds="mean"), 2)
    assert [v.name for v in mean] == ["base ×2", "no-reg"]
    assert mean[0].test == pytest.approx(((each[0].test or 0) + (each[1].test or 0)) / 2)
    made.add("Comedy", "fc-256x64", epochs=3)
    by_regularizer = values_at(
        views(made), ViewOptions(compare="regularizer", seeds="mean", mode="overlay"), 2
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


def test_genres_without_the_metric_come_last(made: MadeRuns) -> None:
    made.add("Animation", epochs=2, gaps=(1, 2), state="done")
    made.add("Comedy", epochs=2, state="done")
    made.add("Drama")
    assert arrange(views(made), ViewOptions()).rows == ("Comedy", "Drama", "Animation")
    assert arrange(views(made), ViewOptions(metric="loss")).rows[0] == "Animation"
