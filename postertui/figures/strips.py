"""Pictures that compare settings within a panel: test F strips, and letters per FC size."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping, Sequence

import polars as pl

from postertui.figures.baselines import black_baselines
from postertui.figures.collation import sort_values
from postertui.figures.curves import INTERVAL, SEED, describe_duplicates, fit_size
from postertui.figures.histories import average_replicates, classify_vertices, is_replicated
from postertui.figures.options import FigureOptions
from postertui.figures.picture import (
    BEYOND,
    DRAWN,
    ISOLATED,
    UNDEFINED,
    Axis,
    Facets,
    Hidden,
    Layer,
    Picture,
    count_hidden,
    levels_of,
)
from postertui.figures.source import FigureSource

JITTER = 0.4
JITTER_SEED = 2017

#: Width and height of R's figures in inches.
STRIP_SIZE, LETTERS_SIZE = (8.0, 2.0), (6.5, 8.0)


def draw_strip(
    source: FigureSource,
    rows: pl.DataFrame,
    options: FigureOptions,
    *,
    name: str,
    title: str,
    x: Axis,
    legend: str,
) -> Picture:
    """Test curves of `rows`, whose column `series` says the setting, one panel per genre in a row.

    The dashed line is the train base rate, as in 2017; always-yes F is that of the test cohort.

    Parameters
    ----------
    source
        The table that `rows` are of, for base rates.
    rows
        A row per epoch and run, with the columns of the history table and `series`.
    options
        Look and metric.
    name
        What the figure's files are called.
    legend
        The title of the legend.
    """
    lines = rows.select(
        "genre",
        "series",
        pl.col("run").alias("history"),
        "epoch",
        pl.col(f"test_{options.metric}").alias("value"),
    )
    genres = rows["genre"].unique().to_list()
    layers = black_baselines(source, genres, options, rate="Train", always="Test")
    key = ["genre", "series"]
    single = classified = classify_vertices(lines, [*key, "history"], None)
    if options.strict:
        single = classified = classify_vertices(lines.drop("history"), key, None)
    elif is_replicated(rows, key):
        mean = average_replicates(lines, key)
        ribbon = mean.drop_nulls("low").select(*key, "epoch", "low", "high")
        layers.append(Layer("ribbon", ribbon, opacity=0.2, meaning=INTERVAL))
        if options.seed_lines:
            layers.append(Layer("line", single, weight=0.4, opacity=0.5, meaning=SEED))
        classified = classify_vertices(mean.drop("low", "high", "n"), key, None)
    layers.append(Layer("line", classified))
    if not options.strict:
        alone = classified.filter(pl.col("visibility") == ISOLATED).drop("visibility")
        layers += [] if alone.is_empty() else [Layer("point", alone)]
    series = sort_values(rows["series"].to_list())
    counted = single.with_columns(pl.lit("Test").alias("series"))
    picture = Picture(
        name=name,
        title=title,
        facets=Facets((), ("genre",), levels_of([layer.data for layer in layers], ["genre"])),
        layers=tuple(layer for layer in layers if not layer.data.is_empty()),
        x=x,
        y=Axis(options.metric_label),
        colours=options.series_colours(series),
        legend=legend,
        size=STRIP_SIZE,
        hidden=count_hidden([counted], points_for_isolated=not options.strict),
        notes=tuple(describe_duplicates(rows)),
        strict=options.strict,
    )
    tall = max(2.6, 0.9 + 0.22 * len(series))
    wide = max(8.0, 1.9 + 1.15 * picture.grid[1] + 0.075 * max(map(len, series)))
    return fit_size(picture, options, (wide, tall))


def draw_letters(
    source: FigureSource,
    rows: pl.DataFrame,
    options: FigureOptions,
    *,
    name: str,
    title: str,
    legend: str,
    baseline_genres: Sequence[str],
    x: Axis,
    y: Axis,
) -> Picture:
    """Test F of each setting (column `series`) as a jittered letter, one panel per genre.

    The jitter is the same every time. Dashed: the test base rate of `baseline_genres`.

    Parameters
    ----------
    source
        The table that `rows` are of, for base rates.
    rows
        A row per epoch and run, with the columns of the history table and `series`.
    options
        Look and metric.
    name
        What the figure's files are called.
    legend
        The title of the legend.
    baseline_genres
        The genres whose base rate is drawn.
    """
    series = sort_values(rows["series"].to_list())
    letters = dict(zip(series, _letters(len(series)), strict=True))
    noise = random.Random(JITTER_SEED)
    values = rows.select(
        "genre",
        "series",
        pl.col("run").alias("history"),
        pl.col("epoch").cast(pl.Float64),
        pl.col(f"test_{options.metric}").alias("value"),
    )
    if not options.strict and y.limits is not None:
        top = max([y.limits[1], *values["value"].drop_nulls()])
        y = Axis(y.label, (y.limits[0], top), y.breaks)
    low, high = y.limits or (float("-inf"), float("inf"))
    inside = pl.col("value").is_between(low, high)
    points = values.with_columns(
        pl.when(pl.col("value").is_null())
        .then(pl.lit(UNDEFINED))
        .when(inside)
        .then(pl.lit(DRAWN))
        .otherwise(pl.lit(BEYOND))
        .alias("visibility")
    ).with_columns(
        pl.col("epoch")
        + pl.Series([noise.uniform(-JITTER, JITTER) for _ in range(len(values))], dtype=pl.Float64)
    )
    layers = [Layer("letter", points)]
    layers += black_baselines(source, baseline_genres, options, rate="Test", always="Test")
    lost: Mapping[str, int] = dict(points["visibility"].value_counts().iter_rows())
    picture = Picture(
        name=name,
        title=title,
        facets=Facets(
            (), ("genre",), levels_of([layer.data for layer in layers], ["genre"]), wrap=True
        ),
        layers=tuple(layer for layer in layers if not layer.data.is_empty()),
        x=x,
        y=y,
        colours=options.series_colours(series),
        legend=legend,
        size=LETTERS_SIZE,
        letters=letters,
        hidden=tuple(Hidden("Test", c, n) for c, n in sorted(lost.items()) if c != DRAWN),
        strict=options.strict,
    )
    return fit_size(picture, options)


def _letters(n: int) -> list[str]:
    """A to Z, a to z, then around again."""
    return [
        string.ascii_letters[26:][i] if i < 26 else string.ascii_letters[i % 52] for i in range(n)
    ]
