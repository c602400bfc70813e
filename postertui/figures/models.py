"""The dot plot of test F by model and genre: the best, and what cannot be told apart from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from postertui.figures.baselines import black_baselines
from postertui.figures.curves import fit_size
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Axis, Facets, Hidden, Layer, Picture, levels_of
from postertui.figures.source import FigureSource

#: A model's rank class within its genre, best first, and the relative size of its dot.
RANK_WEIGHTS = {"best": 1.7, "tied with the best": 1.2, "behind": 0.9}
#: Where the noise between runs is unknown, nothing can be told apart.
UNRANKED = "model"

_COLOURS = {
    "hue": ("#F8766D", "#00BFC4", "#7F7F7F"),
    "okabe-ito": ("#D55E00", "#0072B2", "#7F7F7F"),
}


def draw_models(
    source: FigureSource,
    ranks: pl.DataFrame,
    order: Sequence[str],
    options: FigureOptions,
    *,
    hidden: Sequence[Hidden] = (),
    notes: Sequence[str] = (),
) -> Picture:
    """One panel per genre, one row per model, the best and its ties marked.

    Dashed is the test base rate, dotted always-yes F, as `options.baselines` has them.

    Parameters
    ----------
    source
        The table's rows, for base rates.
    ranks
        A row per genre and model: `genre name mean low high rank best`, as a leaderboard gives it.
    order
        The models from the best to the worst over all genres, top to bottom.
    options
        Look and metric.
    hidden
        What has no value to draw, by cause.
    notes
        What the caption says beside.
    """
    ranked = set(ranks["name"].to_list())
    models = tuple(name for name in reversed(order) if name in ranked)
    is_ranked = bool(ranks["best"].any())
    rank_class = (
        pl.when(pl.col("rank") == 1)
        .then(pl.lit("best"))
        .when(pl.col("best"))
        .then(pl.lit("tied with the best"))
        .otherwise(pl.lit("behind"))
    )
    dots = ranks.select(
        "genre",
        (rank_class if is_ranked else pl.lit(UNRANKED)).alias("series"),
        pl.col("name").alias("label"),
        pl.col("mean").alias("value"),
        "low",
        "high",
    )
    colours = dict(zip(RANK_WEIGHTS, _COLOURS[options.palette], strict=True))
    if not is_ranked:
        colours = {UNRANKED: colours["tied with the best"]}
    shown = dots["genre"].unique().to_list()
    layers = black_baselines(
        source, shown, options, rate="Test", always="Test", geom="vline", weight=0.7
    )
    spans = dots.drop_nulls("low").drop("value")
    layers += [Layer("span", spans, weight=0.7, opacity=0.6, meaning="95 % interval of the mean")]
    layers += [
        Layer("dot", dots.filter(pl.col("series") == series).drop("low", "high"), weight=weight)
        for series, weight in reversed({**RANK_WEIGHTS, UNRANKED: 1.2}.items())
    ]
    layers = [layer for layer in layers if not layer.data.is_empty()]
    genres = levels_of([dots], ["genre"])
    picture = Picture(
        name="models",
        title=f"Test {options.metric_label} per model and genre",
        facets=Facets((), ("genre",), genres, wrap=True),
        layers=tuple(layers),
        x=Axis(f"test {options.metric_label}"),
        y=Axis("", labels=models),
        colours=colours,
        legend="",
        size=(1.0, 1.0),
        hidden=tuple(hidden),
        notes=tuple(notes),
        strict=options.strict,
    )
    rows, columns = picture.grid
    width = 1.6 + 0.08 * max(map(len, models)) + 1.6 * columns
    height = 1.0 + rows * (0.45 + 0.13 * len(models))
    return fit_size(picture, replace(options, strict=False), (width, height))
