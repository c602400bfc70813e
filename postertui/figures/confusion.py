"""Confusion matrices: how many posters of each kind are decided how."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from postertui.figures.decision_curves import sized
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Axis, Facets, Layer, Picture, levels_of
from postertui.predictions.loading import RunPredictions
from postertui.predictions.scores import count_decisions

#: Cell to the place of its decision across and of its label up, and whether it is right.
CELLS = {
    "tp": (2, 2, "right"),
    "fp": (2, 1, "wrong"),
    "fn": (1, 2, "wrong"),
    "tn": (1, 1, "right"),
}


def draw_confusion(runs: Sequence[RunPredictions], options: FigureOptions) -> Picture:
    """Counts of decisions on the test cohort: genres down, variants across, seeds averaged.

    A run decides by the threshold that it chose on validation, without a validation cohort by .5.
    The darker a cell, the larger its share of the posters with that label.
    """
    groups: dict[tuple[str, str], list[RunPredictions]] = {}
    for run in runs:
        groups.setdefault((run.genre, run.variant), []).append(run)
    rows = []
    for (genre, variant), seeds in groups.items():
        counts = [count_decisions(r.test.labels, r.test.probabilities, r.threshold) for r in seeds]
        means = np.mean(counts, axis=0)
        totals = {2: max(means[0] + means[2], 1.0), 1: max(means[1] + means[3], 1.0)}
        for (x, y, series), mean in zip(CELLS.values(), means, strict=True):
            share = float(mean / totals[y])
            rows.append(
                {"genre": genre, "variant": variant, "epoch": x, "value": y, "series": series}
                | {"opacity": 0.12 + 0.75 * share, "label": f"{mean:.0f}\n{share:.0%}"}
            )
    cells = pl.DataFrame(rows)
    facets = ("genre", "variant")
    colours = options.split_colours()
    chosen = sum(run.chosen_threshold is not None for run in runs)
    rule = "the threshold chosen on validation" if chosen == len(runs) else "threshold .5"
    if 0 < chosen < len(runs):
        rule = "the threshold chosen on validation where there is one, else .5"
    picture = Picture(
        name="confusion",
        title="Decisions on the test cohort",
        facets=Facets(("genre",), ("variant",), levels_of([cells], facets)),
        layers=(
            Layer("tile", cells.drop("label"), meaning=f"decided by {rule}"),
            Layer("text", cells.drop("opacity", "series"), colour="black", weight=1.2),
        ),
        x=Axis("decided", labels=("no", "yes")),
        y=Axis("label", labels=("no", "yes")),
        colours={"right": colours["Train"], "wrong": colours["Test"]},
        legend="",
        size=(1.0, 1.0),
        x_column="decided",
    )
    return sized(picture, options, panel=(1.3, 1.0))
