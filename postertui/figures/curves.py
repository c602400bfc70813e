"""Pictures of learning curves: train and test against epoch, one panel per genre and setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from postertui.figures.baselines import SPLITS, Split, coloured_baselines
from postertui.figures.histories import average_replicates, classify_vertices, is_replicated
from postertui.figures.options import FigureOptions
from postertui.figures.picture import (
    ISOLATED,
    Axis,
    Facets,
    Hidden,
    Layer,
    Picture,
    count_hidden,
    levels_of,
)
from postertui.figures.source import FigureSource

#: What ribbons and thin lines stand for.
INTERVAL = "95 % interval of the mean over seeds"
SEED = "one seed"


def draw_curves(
    source: FigureSource,
    rows: pl.DataFrame,
    options: FigureOptions,
    *,
    name: str,
    title: str,
    columns: Sequence[str],
    down: Sequence[str] = ("genre",),
    wrap: bool = False,
    baseline_genres: Sequence[str] | None = None,
    x: Axis | None = None,
    y: Axis | None = None,
    size: tuple[float, float] = (6.5, 8.0),
    notes: Sequence[str] = (),
) -> Picture:
    """Train and test curves of `rows`, panels `down` by `columns`, or wrapped over `columns`.

    Strict: the axes and size given, every history as R draws it. Otherwise the axes widen to what
    the data has and the size follows the panels; replicates become mean and interval, isolated
    epochs points, and panels without any defined test value say so.

    Parameters
    ----------
    source
        The table that `rows` are of, for base rates.
    rows
        A row per epoch and run, with the columns of the history table and those of `columns`.
    options
        Look and metric.
    name
        What the figure's files are called.
    columns, down
        The table's columns whose values are panels across, and down the side.
    wrap
        Whether panels go on in the next row where they have no room beside each other.
    baseline_genres
        The genres whose base rates are drawn; None for all that are shown.
    x, y
        The axes; None for one that fits the data.
    size
        Width and height in inches; not strict, they follow the number of panels.
    notes
        What the caption says beside.
    """
    facets = (*down, *columns)
    lines = {
        split: _split_lines(rows, split, options.metric, facets)
        for split in SPLITS
        if f"{split.lower()}_{options.metric}" in rows.columns  # AP is of test posters alone
    }
    x = x or Axis("epoch", breaks=_epoch_breaks(rows))
    y = y or Axis(options.metric_label)
    notes = [*notes, *describe_duplicates(rows)]
    shown = sorted(set(rows["genre"].to_list())) if baseline_genres is None else baseline_genres
    if options.strict:
        line_key = list(facets)
        classified = {
            s: classify_vertices(f.drop("history"), line_key, y.limits) for s, f in lines.items()
        }
        layers = [Layer("line", frame) for frame in classified.values()]
        hidden = count_hidden(list(classified.values()), points_for_isolated=False)
        layers += coloured_baselines(source, shown, options)
    else:
        y = _widen(y, lines.values())
        layers, hidden = _free_layers(rows, lines, facets, options)
        layers[:0] = coloured_baselines(source, shown, options)
        layers += _undefined_notes(lines["Test"], facets, _top(y, lines.values()), options)
        if options.is_fscore and (unknown := [g for g in shown if g not in source.rates]):
            notes.append(f"base rate unknown, no line: {', '.join(unknown)}")
    frames = [layer.data for layer in layers]
    picture = Picture(
        name=name,
        title=title,
        facets=Facets(tuple(down), tuple(columns), levels_of(frames, facets), wrap),
        layers=tuple(layers),
        x=x,
        y=y,
        colours=options.split_colours(),
        legend="colour" if options.strict else "",
        size=size,
        hidden=hidden,
        notes=tuple(notes),
        strict=options.strict,
    )
    return fit_size(picture, options)


def _split_lines(
    rows: pl.DataFrame, split: str, metric: str, facets: Sequence[str]
) -> pl.DataFrame:
    return rows.select(
        *facets,
        pl.col("run").alias("history"),
        "epoch",
        pl.col(f"{split.lower()}_{metric}").alias("value"),
        pl.lit(split).alias("series"),
    )


def _free_layers(
    rows: pl.DataFrame,
    lines: Mapping[Split, pl.DataFrame],
    facets: Sequence[str],
    options: FigureOptions,
) -> tuple[list[Layer], tuple[Hidden, ...]]:
    """Ribbons, thin seeds, lines and isolated points, train below test in each."""
    ribbons, thin, strong, points = [], [], [], []
    classified = []
    replicated = is_replicated(rows, facets)
    for frame in lines.values():
        if replicated:
            mean = average_replicates(frame, facets).with_columns(
                pl.lit("mean").alias("history"), pl.lit(frame["series"][0]).alias("series")
            )
            ribbons.append(
                Layer(
                    "ribbon",
                    mean.drop_nulls("low").select(*facets, "series", "epoch", "low", "high"),
                    opacity=0.25,
                    meaning=INTERVAL,
                )
            )
            if options.seed_lines:
                seeds = classify_vertices(frame, [*facets, "history"], None)
                thin.append(Layer("line", seeds, weight=0.4, opacity=0.5, meaning=SEED))
            shown = mean.drop("low", "high", "n")
        else:
            shown = frame
        vertices = classify_vertices(shown, [*facets, "history"], None)
        # Of replicates, what no mean contains is counted, history by history.
        classified.append(
            classify_vertices(frame, [*facets, "history"], None) if replicated else vertices
        )
        strong.append(Layer("line", vertices))
        alone = vertices.filter(pl.col("visibility") == ISOLATED).drop("visibility")
        if not alone.is_empty():
            points.append(Layer("point", alone))
    layers = [layer for layer in ribbons if not layer.data.is_empty()] + thin + strong + points
    return layers, count_hidden(classified, points_for_isolated=True)


def _undefined_notes(
    test: pl.DataFrame, facets: Sequence[str], top: float, options: FigureOptions
) -> list[Layer]:
    """A note in each panel that has a test curve of which no value is defined."""
    silent = test.group_by(*facets).agg(pl.col("value").count()).filter(pl.col("value") == 0)
    if silent.is_empty():
        return []
    epochs = test["epoch"]
    low, high = epochs.min(), epochs.max()
    assert isinstance(low, int) and isinstance(high, int)
    data = (
        silent.drop("value")
        .sort(*facets)
        .with_columns(
            pl.lit((low + high) / 2).alias("epoch"),
            pl.lit(top).alias("value"),
            pl.lit("test F undefined" if options.is_fscore else "test undefined").alias("label"),
        )
    )
    return [Layer("note", data, colour="#606060")]


def describe_duplicates(rows: pl.DataFrame) -> list[str]:
    """Settings with several histories of the same seed, each as a line for people."""
    counts = (
        rows.group_by("name", "genre", "seed", maintain_order=True)
        .agg(pl.col("run").n_unique().alias("n"))
        .filter(pl.col("n") > 1)
    )
    has_seeds = rows["seed"].n_unique() > 1
    return [
        f"{n} histories of one setting: {genre}, {name}" + (f", seed {seed}" if has_seeds else "")
        for name, genre, seed, n in counts.iter_rows()
    ]


def _widen(y: Axis, lines: Iterable[pl.DataFrame]) -> Axis:
    """`y` with its limits, if it has any, moved out so that they leave nothing out."""
    values = _values(lines)
    if not values:
        return replace(y, limits=y.limits or (0.0, 1.0))
    if y.limits is None:
        return y
    return replace(y, limits=(min(y.limits[0], *values), max(y.limits[1], *values)))


def _top(y: Axis, lines: Iterable[pl.DataFrame]) -> float:
    return y.limits[1] if y.limits else max(_values(lines))


def _values(lines: Iterable[pl.DataFrame]) -> list[float]:
    return [v for f in lines for v in f["value"].drop_nulls().to_list()]


def _epoch_breaks(rows: pl.DataFrame) -> tuple[float, ...]:
    """Round epochs from 0, five or so."""
    last = rows["epoch"].max()
    last = last if isinstance(last, int) else 1
    step = next(
        factor * 10**power
        for power in range(19)
        for factor in (1, 2, 5)
        if factor * 10**power * 5 >= last
    )
    return tuple(float(e) for e in range(0, last + 1, step))


def fit_size(
    picture: Picture, options: FigureOptions, natural: tuple[float, float] | None = None
) -> Picture:
    """`picture` at the size asked for, or, unless it is strict, at one that follows its panels.

    `natural` is used in place of the latter where it is given.
    """
    size = picture.size
    if not options.strict:
        rows, columns = picture.grid
        width = 1.9 + columns * (0.95 if picture.facets.rows else 1.15)
        height = 1.1 + rows * (0.64 if picture.facets.rows else 1.35)
        width, height = natural or (max(width, 6.5), max(height, 2.6))
        size = (width, height + (0.25 if picture.caption else 0))
    width, height = options.width or size[0], options.height or size[1]
    return replace(picture, size=(round(width, 2), round(height, 2)))
