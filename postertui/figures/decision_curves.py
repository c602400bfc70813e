"""Precision against recall, ROC, and F against the threshold: all decisions a model could make.

Curves of several seeds are averaged at equal recall, false positive rate or threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import polars as pl

from postertui.figures.curves import INTERVAL, SEED, fit_size
from postertui.figures.histories import average_replicates, is_replicated
from postertui.figures.options import FigureOptions
from postertui.figures.picture import (
    DASHED,
    DOTTED,
    DRAWN,
    Axis,
    Facets,
    Layer,
    Picture,
    levels_of,
)
from postertui.predictions.loading import RunPredictions
from postertui.predictions.ranking import Ranking, Vector, rank
from postertui.predictions.scores import PUBLISHED_THRESHOLD, auroc, average_precision
from postertui.predictions.table import Predictions

#: Where curves are read off: so fine that a line through the points is the curve to the eye.
GRID = np.linspace(0.0, 1.0, 201)

#: Inches of a panel, beside what `sized` adds for axes and legend.
PANEL = 1.9

Cohort = Literal["Validation", "Test"]


def draw_precision_recall(runs: Sequence[RunPredictions], options: FigureOptions) -> Picture:
    """Precision against recall on the test cohort: a panel per genre, a line per variant.

    Precision at a recall is that of the highest threshold that reaches it; between two recalls a
    straight line would promise too much (Davis & Goadrich 2006). Dashed: the base rate, which is
    the precision of a random order.
    """

    def precision_at(ranking: Ranking) -> Vector:
        reaching = np.searchsorted(ranking.recall, GRID - 1e-12)
        return ranking.precision[np.minimum(reaching, len(ranking.recall) - 1)]

    lines = _lines(runs, precision_at).filter(pl.col("epoch") > 0)
    rates = pl.DataFrame(
        [{"genre": r.genre, "value": float(r.test.labels.mean())} for r in runs]
    ).unique("genre", maintain_order=True)
    baseline = Layer(
        "hline", rates, colour="black", dash=DASHED, weight=0.7, meaning="test base rate"
    )
    return _per_genre(
        runs,
        lines,
        options,
        title="Precision and recall on the test cohort",
        x=Axis("recall", (0.0, 1.0), (0.0, 0.5, 1.0)),
        y=Axis("precision", (0.0, 1.0), (0.0, 0.5, 1.0)),
        x_column="recall",
        below=[baseline] if "stratified" in options.baselines else [],
        notes=[_mean_line(runs, "average precision", average_precision)],
    )


def draw_roc(runs: Sequence[RunPredictions], options: FigureOptions) -> Picture:
    """True against false positive rate on the test cohort: a panel per genre, a line per variant.

    The thin diagonal is a random order.
    """

    def recall_at(ranking: Ranking) -> Vector:
        rates: Vector = np.append(0.0, ranking.false_positive_rate)
        recalls: Vector = np.append(0.0, ranking.recall)
        return np.interp(GRID, rates, recalls)

    diagonal = pl.DataFrame({"epoch": [0.0, 1.0], "value": [0.0, 1.0]})
    return _per_genre(
        runs,
        _lines(runs, recall_at),
        options,
        title="ROC on the test cohort",
        x=Axis("false positive rate", (0.0, 1.0), (0.0, 0.5, 1.0)),
        y=Axis("true positive rate", (0.0, 1.0), (0.0, 0.5, 1.0)),
        x_column="false_positive_rate",
        below=[Layer("line", diagonal, colour="black", weight=0.5, meaning="a random order")],
        notes=[_mean_line(runs, "AUROC", auroc)],
    )


def draw_threshold(runs: Sequence[RunPredictions], options: FigureOptions) -> Picture:
    """F against the threshold on validation and test: genres down, variants across.

    Dashed: the thresholds chosen on validation, one a seed; dotted: .5, as published.
    """
    cohorts: list[tuple[Cohort, Callable[[RunPredictions], Predictions | None]]] = [
        ("Validation", lambda run: run.validation),
        ("Test", lambda run: run.test),
    ]
    lines = pl.concat(
        _lines(runs, _fscore_at, cohort).with_columns(pl.lit(name).alias("series"))
        for name, cohort in cohorts
    )
    facets = ("genre", "variant")
    layers = [
        Layer(
            "vline",
            pl.DataFrame({"value": [PUBLISHED_THRESHOLD]}),
            colour="black",
            dash=DOTTED,
            weight=0.5,
            meaning="threshold .5",
        )
    ]
    chosen = pl.DataFrame(
        [(r.genre, r.variant, r.chosen_threshold) for r in runs],
        schema={"genre": pl.String, "variant": pl.String, "value": pl.Float64},
        orient="row",
    ).drop_nulls()
    if not chosen.is_empty():
        meaning = "threshold chosen on validation"
        layers.append(
            Layer("vline", chosen, colour="black", dash=DASHED, weight=0.5, meaning=meaning)
        )
    layers += _averaged(lines, facets, options)
    picture = Picture(
        name="threshold",
        title="F-Score at every threshold",
        facets=Facets(("genre",), ("variant",), levels_of([lines], facets)),
        layers=tuple(layers),
        x=Axis("threshold", (0.0, 1.0), (0.2, 0.5, 0.8)),
        y=Axis("F score", (0.0, 1.0), (0.0, 0.5, 1.0)),
        colours=_cohort_colours(lines, options),
        legend="",
        size=(1.0, 1.0),
        x_column="threshold",
    )
    return sized(picture, options, panel=(1.4, 0.9))


def sized(picture: Picture, options: FigureOptions, panel: tuple[float, float]) -> Picture:
    """`picture` at the size asked for, or at one that gives each panel `panel` inches."""
    rows, columns = picture.grid
    names = max((len(name) for name in picture.colours), default=0)
    width = 1.2 + columns * panel[0] + 0.08 * names
    return fit_size(picture, options, (max(width, 4.0), max(1.1 + rows * panel[1], 2.6)))


def _fscore_at(ranking: Ranking) -> Vector:
    decided = np.searchsorted(-ranking.probabilities, -GRID)
    scores: Vector = np.append(0.0 if ranking.positives else np.nan, ranking.fscore)
    return scores[decided]


def _lines(
    runs: Sequence[RunPredictions],
    values_at: Callable[[Ranking], Vector],
    cohort: Callable[[RunPredictions], Predictions | None] = lambda run: run.test,
) -> pl.DataFrame:
    """`genre variant seed history epoch value series`, what `values_at` gives on `GRID` per run.

    Runs without that cohort, or without a positive in it, are left out.
    """
    frames = []
    for run in runs:
        posters = cohort(run)
        if posters is None:
            continue
        ranking = rank(posters.labels, posters.probabilities)
        if not ranking.positives or not ranking.negatives:
            continue
        frames.append(
            pl.DataFrame({"epoch": GRID, "value": values_at(ranking)}).with_columns(
                pl.lit(run.genre).alias("genre"),
                pl.lit(run.variant).alias("variant"),
                pl.lit(run.seed, pl.Int64).alias("seed"),
                pl.lit(run.run).alias("history"),
                pl.lit(run.variant).alias("series"),
            )
        )
    schema = {
        "epoch": pl.Float64,
        "value": pl.Float64,
        "genre": pl.String,
        "variant": pl.String,
        "seed": pl.Int64,
        "history": pl.String,
        "series": pl.String,
    }
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def _averaged(lines: pl.DataFrame, facets: Sequence[str], options: FigureOptions) -> list[Layer]:
    """A line per series and panel, with its interval where there are several seeds."""
    key = [*dict.fromkeys([*facets, "series"])]
    if not is_replicated(lines, key):
        shown = lines.select(*key, "history", "epoch", "value")
        return [Layer("line", shown.with_columns(pl.lit(DRAWN).alias("visibility")))]
    mean = average_replicates(lines, key)
    ribbon = mean.drop_nulls("low").select(
        *key, "epoch", pl.col("low").clip(0.0, 1.0), pl.col("high").clip(0.0, 1.0)
    )
    layers = [Layer("ribbon", ribbon, opacity=0.2, meaning=INTERVAL)]
    if options.seed_lines:
        thin = lines.select(*key, "history", "epoch", "value")
        layers.append(Layer("line", thin, weight=0.4, opacity=0.5, meaning=SEED))
    return [*layers, Layer("line", mean.select(*key, "epoch", "value"))]


def _per_genre(
    runs: Sequence[RunPredictions],
    lines: pl.DataFrame,
    options: FigureOptions,
    *,
    title: str,
    x: Axis,
    y: Axis,
    x_column: str,
    below: Sequence[Layer],
    notes: Sequence[str],
) -> Picture:
    layers = [*below, *_averaged(lines.drop("variant"), ["genre"], options)]
    variants = list(dict.fromkeys(run.variant for run in runs))
    picture = Picture(
        name="",
        title=title,
        facets=Facets((), ("genre",), levels_of([lines], ["genre"]), wrap=True),
        layers=tuple(layers),
        x=x,
        y=y,
        colours=options.series_colours(variants),
        legend="",
        size=(1.0, 1.0),
        x_column=x_column,
        notes=tuple(notes),
    )
    return sized(picture, options, panel=(PANEL, PANEL))


def _mean_line(runs: Sequence[RunPredictions], name: str, score: Callable[[Ranking], float]) -> str:
    """The variants' mean score over the genres in which all of them have one, best first."""
    scores: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        value = score(rank(run.test.labels, run.test.probabilities))
        if not np.isnan(value):
            scores.setdefault(run.variant, {}).setdefault(run.genre, []).append(value)
    genres = set().union(*scores.values())
    common = genres.intersection(*scores.values())
    if not common:
        return f"mean {name}: none, for the variants have no genre in common"
    means = sorted(
        (
            (float(np.mean([np.mean(of_genre[g]) for g in common])), variant)
            for variant, of_genre in scores.items()
        ),
        reverse=True,
    )
    where = f" over {', '.join(sorted(common))}, which all have" if common != genres else ""
    return f"mean {name}{where}: " + ", ".join(f"{variant} {mean:.3f}" for mean, variant in means)


def _cohort_colours(lines: pl.DataFrame, options: FigureOptions) -> dict[str, str]:
    colours = options.split_colours()
    named = {"Test": colours["Test"], "Validation": colours["Train"]}
    present = set(lines["series"].unique().to_list())
    return {name: colour for name, colour in named.items() if name in present}
