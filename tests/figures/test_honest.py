"""What figures show beyond R's: seeds as mean and interval, isolated epochs, baselines, counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from postertui.figures.compare import draw_comparison, draw_variant
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Layer, Picture
from postertui.figures.source import open_source
from postertui.published.facts import BASE_RATES
from postertui.report.catalogue import draw_named
from tests.support.figure_tables import made, seeds
from tests.support.ggplot2_built import build


def compare(table: pl.DataFrame, column: str = "Regularizer", **options: Any) -> Picture:
    (picture,) = draw_comparison(open_source(table), [column], FigureOptions(**options))
    return picture


def layers(picture: Picture, geom: str) -> list[Layer]:
    return [layer for layer in picture.layers if layer.geom == geom]


def test_seeds_are_shown_as_their_mean_and_its_interval() -> None:
    table = seeds(4)
    picture = compare(table)
    cell = (pl.col("genre") == "Drama") & (pl.col("Regularizer") == "L2=1e-2")
    values = table.filter(cell & (pl.col("epoch") == 3))["test_fscore"].to_numpy()
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    marks = picture.marks().filter(cell & (pl.col("epoch") == 3) & (pl.col("series") == "Test"))
    line = marks.filter(pl.col("mark") == "line")
    ribbon = marks.filter(pl.col("mark") == "ribbon")
    assert line["value"].to_list() == pytest.approx([values.mean()])
    assert ribbon.select("low", "high").row(0) == pytest.approx((low, high))
    assert "ribbon: 95 % interval of the mean over seeds" in picture.caption


def test_single_seeds_are_thin_lines_on_request() -> None:
    assert all(layer.weight == 1 for layer in layers(compare(seeds(3)), "line"))
    picture = compare(seeds(3), seed_lines=True)
    thin = [layer for layer in layers(picture, "line") if layer.weight < 1]
    assert [layer.data["history"].n_unique() for layer in thin] == [12, 12]
    assert "thin line: one seed" in picture.caption


@pytest.mark.parametrize("name", ["base", "l2"])
def test_longer_runs_have_an_axis_and_a_title_of_their_own(name: str) -> None:
    table = made()
    longer = table.with_columns(pl.col("epoch") * 12)
    axes = {}
    for rows, strict in ((table, False), (longer, False), (longer, True)):
        picture = draw_named(name, open_source(rows), FigureOptions(strict=strict))
        axes[rows is longer, strict] = picture.x
        if name == "base":
            epochs = 10 if strict else max(rows.filter(pl.col("name") == "base")["epoch"])
            assert f"over {epochs} epochs" in picture.title
    assert axes[False, False].breaks == axes[True, True].breaks == (0, 2, 4, 6, 8, 10)
    assert max(axes[True, False].breaks or ()) > 10


def test_one_seed_needs_no_ribbon() -> None:
    picture = compare(seeds(1))
    assert layers(picture, "ribbon") == []
    assert "ribbon" not in picture.caption


def test_a_seed_that_is_undefined_is_counted_though_the_mean_is_drawn() -> None:
    gap = (pl.col("seed") == 0) & (pl.col("genre") == "Drama") & (pl.col("epoch") < 3)
    table = seeds(3).with_columns(
        pl.when(gap).then(None).otherwise("test_fscore").alias("test_fscore")
    )
    assert list(map(str, compare(table).hidden)) == ["4 Test undefined"]


def test_an_isolated_epoch_is_a_point_and_not_hidden() -> None:
    table = seeds(1, ("Comedy",)).with_columns(
        pl.when(pl.col("epoch").is_in([2, 4]))
        .then(None)
        .otherwise("test_fscore")
        .alias("test_fscore")
    )
    picture = compare(table)
    (points,) = layers(picture, "point")
    assert points.data.filter(pl.col("Regularizer") == "L2=1e-2")["epoch"].to_list() == [1, 3, 5]
    assert list(map(str, picture.hidden)) == ["4 Test undefined"]


def test_strict_counts_what_is_isolated_and_beyond_the_limits() -> None:
    strict = draw_named("scratch", open_source(made()), FigureOptions(strict=True))
    assert "3 Train beyond the limits" in map(str, strict.hidden)
    free = draw_named("scratch", open_source(made()), FigureOptions())
    assert not any(hidden.cause == "beyond the limits" for hidden in free.hidden)
    assert any(
        "isolated" in str(h)
        for h in draw_named("base", open_source(made()), FigureOptions(strict=True)).hidden
    )


def test_a_panel_whose_test_f_is_never_defined_says_so() -> None:
    (note,) = layers(draw_named("l1", open_source(made()), FigureOptions()), "note")
    assert set(note.data["genre"]) == {"Animation"}
    assert set(note.data["label"]) == {"test F undefined"}


def test_two_histories_of_one_setting_are_two_lines_and_are_said() -> None:
    picture = draw_named("l2", open_source(made()), FigureOptions())
    assert picture.notes == ("2 histories of one setting: Animation, l2-1e-4",)
    line = layers(picture, "line")[0].data
    cell = (pl.col("genre") == "Animation") & (pl.col("Regularizer") == "L2=1e-4")
    assert line.filter(cell)["history"].n_unique() == 2


def test_both_dummies_are_lines_where_asked_for() -> None:
    picture = compare(seeds(1), baselines=("stratified", "always"))
    heights = {
        (layer.dash, layer.data["series"][0]): dict(layer.data.select("genre", "value").rows())
        for layer in layers(picture, "hline")
    }
    train, test = BASE_RATES["Drama"]
    assert heights[(4, 4), "Train"]["Drama"] == train
    assert heights[(4, 4), "Test"]["Drama"] == test
    assert heights[(1, 2), "Train"]["Drama"] == pytest.approx(2 * train / (1 + train))
    assert heights[(1, 2), "Test"]["Drama"] == pytest.approx(2 * test / (1 + test))
    assert picture.caption == "dashed: base rate; dotted: always-yes F"
    assert layers(compare(seeds(1), baselines=()), "hline") == []


def test_test_strips_keep_the_train_base_rate_of_2017_and_add_the_bar_of_the_test_cohort() -> None:
    picture = draw_named(
        "test-loss", open_source(made()), FigureOptions(baselines=("stratified", "always"))
    )
    dashed, dotted = layers(picture, "hline")
    train, test = BASE_RATES["Comedy"]
    comedy = pl.col("genre") == "Comedy"
    assert dashed.data.filter(comedy)["value"].to_list() == [train]
    assert dotted.data.filter(comedy)["value"].to_list() == pytest.approx([2 * test / (1 + test)])
    assert picture.caption == "dashed: train base rate; dotted: test always-yes F"


def test_accuracy_has_no_base_rate_line() -> None:
    table = seeds(1).with_columns(train_accuracy=pl.lit(0.8), test_accuracy=pl.lit(0.7))
    assert layers(compare(table, metric="accuracy", baselines=("always",)), "hline") == []


def test_a_genre_of_unknown_base_rate_is_drawn_without_one_and_said() -> None:
    picture = compare(seeds(1, ("Comedy", "Nature")))
    assert picture.notes == ("base rate unknown, no line: Nature",)
    assert {p.values["genre"] for p in picture.panels} == {"Comedy", "Nature"}


def test_missing_combinations_are_empty_panels() -> None:
    table = seeds(1).filter(~((pl.col("genre") == "Drama") & (pl.col("variant") != "base")))
    picture = compare(table)
    assert [tuple(p.values.values()) for p in picture.panels] == [
        ("Comedy", "L1=1e-5"), ("Comedy", "L2=1e-2"),
    ]  # fmt: skip
    both = pl.concat([table, seeds(1, ("Horror",)).filter(pl.col("variant") != "base")])
    assert len(compare(both).panels) == 4
    built = build_of(compare(both))
    assert len(built.layout.layout) == 4


def build_of(picture: Picture) -> Any:
    from postertui.figures.render import to_ggplot

    return build(to_ggplot(picture))


def test_the_size_follows_the_panels_and_a_given_one_overrules_it() -> None:
    small, large = compare(seeds(1)), compare(seeds(1, tuple(sorted(BASE_RATES))))
    assert large.size[1] > 3 * small.size[1]
    assert compare(seeds(1), width=12.5, height=3.0).size == (12.5, 3.0)


def test_one_run_or_variant_has_a_figure_of_its_own() -> None:
    picture = draw_variant(open_source(seeds(3)), "base", FigureOptions())
    assert picture.facets.wrap
    assert [p.values["genre"] for p in picture.panels] == ["Comedy", "Drama"]
    assert picture.title == "F score over 5 epochs; base"


def models(table: pl.DataFrame, **options: Any) -> Picture:
    return draw_named("models", open_source(table), FigureOptions(**options))


def test_the_dot_plot_marks_the_best_and_what_cannot_be_told_from_it() -> None:
    table = seeds(4)
    table = pl.concat(
        [table, table.filter(pl.col("variant") != "base").with_columns(
            pl.lit("scratch").alias("variant"), pl.lit("L1=1e-5").alias("Regularizer"),
            pl.lit("scratch").alias("name"), pl.format("scratch-{}", "run").alias("run"),
            pl.col("test_fscore") - 0.2,
        )]
    )  # fmt: skip
    picture = models(table, baselines=("stratified", "always"))
    dots = picture.marks().filter(pl.col("mark") == "dot")
    assert len(dots) == 6
    assert set(dots.filter(pl.col("label") == "scratch")["series"]) == {"behind"}
    for genre in ("Comedy", "Drama"):
        standing = dots.filter((pl.col("genre") == genre) & (pl.col("label") != "scratch"))
        assert standing["series"].sort().to_list() == ["best", "tied with the best"]
        assert standing.filter(pl.col("series") == "best")["value"][0] == standing["value"].max()
    assert picture.y.labels[0] == "scratch"
    spans = picture.marks().filter(pl.col("mark") == "span")
    assert bool(spans.select((pl.col("low") < pl.col("high")).all()).item())
    assert picture.caption == (
        "dashed: test base rate; dotted: test always-yes F; bar: 95 % interval of the mean"
    )
    axis = build_of(picture).layout.panel_params[0].y
    assert list(axis.labels) == list(picture.y.labels)


def test_without_known_noise_no_model_is_the_best() -> None:
    picture = models(seeds(1))
    assert set(picture.marks().filter(pl.col("mark") == "dot")["series"]) == {"model"}
    assert any("Nothing is marked as best" in note for note in picture.notes)


def test_the_dot_plot_counts_runs_without_a_value() -> None:
    table = seeds(2).with_columns(
        pl.when(pl.col("genre") == "Drama").then(None).otherwise("test_fscore").alias("test_fscore")
    )
    assert list(map(str, models(table).hidden)) == ["4 Test undefined"]


def test_letters_are_jittered_the_same_every_time_and_no_further_than_r() -> None:
    one, two = (
        draw_named("fc-points", open_source(made()), FigureOptions()).marks() for _ in range(2)
    )
    assert one.equals(two)
    moved = one.filter(pl.col("mark") == "letter")["epoch"].to_numpy()
    assert float(np.abs(moved - moved.round()).max()) <= 0.4
    assert len(np.unique(moved)) > 20


def test_average_precision_is_drawn_of_the_test_cohort_with_its_base_rate() -> None:
    table = seeds(2).with_columns(test_ap=pl.col("test_fscore") / 2)
    picture = compare(table, metric="ap", baselines=("stratified", "always"))
    lines = picture.marks().filter(pl.col("mark") == "line")
    assert lines["series"].unique().to_list() == ["Test"]
    assert {layer.meaning for layer in layers(picture, "hline")} == {"base rate"}
    assert not any(hidden.split == "Train" for hidden in picture.hidden)
