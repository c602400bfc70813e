"""What a cell shows for its runs: which curves, which references, which values."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from postertui.dashboard.charts.cell import draw_cell
from postertui.dashboard.charts.panels import (
    Curve,
    Panel,
    ReferenceLine,
    epoch_range,
    panel_of,
    reached_epoch,
    smooth,
    value_range,
)
from postertui.dashboard.charts.plot import PlotSettings
from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.state.arrangement import arrange
from postertui.dashboard.state.delta_basis import DeltaBasis
from postertui.dashboard.state.metrics import METRICS
from postertui.dashboard.state.view_options import ViewOptions, epoch_range_error, parse_epochs
from tests.support.dashboard_runs import MadeRuns, views


def test_facets_are_genres_by_variants_base_first_numbers_by_value(made_runs: MadeRuns) -> None:
    for genre in ("Horror", "Comedy"):
        for variant in ("l2-1e-4", "l2-1e-2", "base"):
            made_runs.add(genre, variant)
    grid = arrange(views(made_runs), ViewOptions())
    assert grid.rows == ("Comedy", "Horror")
    assert grid.columns == ("base", "l2-1e-4", "l2-1e-2")
    assert len(grid.members["Comedy", "base"]) == 1


def test_overlaid_there_is_one_cell_a_genre(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", "base", epochs=3)
    made_runs.add("Comedy", "no-reg", epochs=3)
    grid = arrange(views(made_runs), ViewOptions(mode="overlay"))
    assert len(grid.members["Comedy", ""]) == 2
    panel = panel_of(views(made_runs), grid.groups, ViewOptions(mode="overlay"))
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
def test_any_column_can_be_compared(
    made_runs: MadeRuns, compare: str, columns: tuple[str, ...]
) -> None:
    made_runs.add("Comedy", "base")
    made_runs.add("Comedy", "no-reg", seed=1)
    assert set(arrange(views(made_runs), ViewOptions(compare=compare)).columns) == set(columns)


def test_every_metric_is_drawn_from_its_own_field(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", epochs=2)
    (run,) = views(made_runs)
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


def test_references_are_the_base_rates_and_always_yes(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", epochs=2)
    (run,) = views(made_runs)
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


def test_undefined_values_are_gaps(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", epochs=4, gaps=(2,))
    panel = panel_of(views(made_runs), ("base",), ViewOptions(train=False))
    assert np.isnan(panel.curves[0].y).tolist() == [False, True, False, False]


def test_epochs_can_be_chosen(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", epochs=8)
    options = ViewOptions(first_epoch=3, last_epoch=5)
    assert panel_of(views(made_runs), ("base",), options).curves[0].x.tolist() == [3, 4, 5]
    assert epoch_range(views(made_runs), options) == (3, 5)
    assert epoch_range(views(made_runs), ViewOptions()) == (1, 10)


@pytest.mark.parametrize(
    ("text", "expected"), [("5-20", (5, 20)), ("5-", (5, 0)), ("-20", (0, 20)), ("", (0, 0))]
)
def test_a_range_of_epochs_as_typed(text: str, expected: tuple[int, int]) -> None:
    assert parse_epochs(text) == expected
    assert not epoch_range_error(text)


@pytest.mark.parametrize("text", ["five", "20-5", "5-5", "1-2-3"])
def test_a_mistaken_range_of_epochs_is_refused(text: str) -> None:
    assert epoch_range_error(text)


def test_smoothing_has_no_bias_and_keeps_gaps() -> None:
    smoothed = smooth(np.array([0.5, 0.5, math.nan, 0.5]), 0.9)
    assert smoothed[[0, 1, 3]] == pytest.approx([0.5, 0.5, 0.5])
    assert math.isnan(smoothed[2])
    step = smooth(np.array([0.0, 1.0, 1.0]), 0.5)
    assert step == pytest.approx([0, 2 / 3, 6 / 7])


def test_curves_are_smoothed_as_asked(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", epochs=5)
    rough = panel_of(views(made_runs), ("base",), ViewOptions()).curves[1].y
    smoothed = panel_of(views(made_runs), ("base",), ViewOptions(smoothing=0.8)).curves[1].y
    assert smoothed == pytest.approx(smooth(rough, 0.8))
    assert not np.allclose(smoothed, rough)


def test_the_mean_of_seeds_and_its_interval(made_runs: MadeRuns) -> None:
    from scipy import stats

    options = ViewOptions(seeds="mean", train=False)
    for seed in range(5):
        made_runs.add("Comedy", epochs=4, seed=seed)
        if seed == 1:
            (few,) = panel_of(views(made_runs), ("base",), options).curves
    runs = views(made_runs)
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


def test_a_mean_is_never_over_settings(made_runs: MadeRuns) -> None:
    for variant in ("base", "fc-256x64"):
        for seed in (0, 1):
            made_runs.add("Comedy", variant, epochs=3, seed=seed)
    options = ViewOptions(seeds="mean", train=False, compare="regularizer")
    curves = panel_of(views(made_runs), ("L1=1e-5",), options).curves
    assert len(curves) == 2  # base and fc-256x64 have the same regularizer


def test_one_range_holds_all_cells(made_runs: MadeRuns) -> None:
    made_runs.add("Comedy", epochs=4, level=0.3)
    made_runs.add("Drama", epochs=4, level=0.9)
    panels = [panel_of([run], ("base",), ViewOptions()) for run in views(made_runs)]
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


def test_differences_are_to_the_mean_of_the_reference(made_runs: MadeRuns) -> None:
    for seed in range(2):
        made_runs.add("Comedy", "base", epochs=4, seed=seed)
    made_runs.add("Comedy", "no-reg", epochs=6)
    runs = views(made_runs)
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
    rows = draw_cell(panel, ((" " * 30, "title"),), 30, 10, PlotSettings((1, 10), scale))
    assert {"zero", "noise"} <= {style for row in rows for _, style in row}


def test_genres_without_the_metric_come_last(made_runs: MadeRuns) -> None:
    made_runs.add("Animation", epochs=2, gaps=(1, 2), state="done")
    made_runs.add("Comedy", epochs=2, state="done")
    made_runs.add("Drama")
    assert arrange(views(made_runs), ViewOptions()).rows == ("Comedy", "Drama", "Animation")
    assert arrange(views(made_runs), ViewOptions(metric="loss")).rows[0] == "Animation"
