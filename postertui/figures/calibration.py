"""Reliability diagrams: is a poster that gets probability p positive with probability p?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from postertui.figures.decision_curves import sized
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Axis, Facets, Layer, Picture, levels_of
from postertui.predictions.loading import RunPredictions
from postertui.predictions.reliability import reliability
from postertui.predictions.scores import brier

BARS = "#9E9E9E"


def draw_calibration(runs: Sequence[RunPredictions], options: FigureOptions) -> Picture:
    """Share of positives against probability on the test cohort: genres down, variants across.

    Ten bins of equal width over the posters of all seeds together; the bars are the share of
    posters in a bin, with their number above, averaged over seeds. On the thin diagonal a model
    would be calibrated.
    """
    points, bars, notes = [], [], []
    groups: dict[tuple[str, str], list[RunPredictions]] = {}
    for run in runs:
        groups.setdefault((run.genre, run.variant), []).append(run)
    for (genre, variant), seeds in groups.items():
        labels = np.concatenate([run.test.labels for run in seeds])
        p = np.concatenate([run.test.probabilities for run in seeds])
        bins = reliability(labels, p)
        place = {"genre": genre, "variant": variant}
        for predicted, observed, posters in zip(*bins, strict=True):
            points.append(place | {"epoch": float(predicted), "value": float(observed)})
            middle = min(int(predicted * 10), 9) / 10 + 0.05
            share, number = float(posters / len(p)), round(posters / len(seeds))
            bars.append(place | {"epoch": middle, "value": share, "label": f"{number}"})
        score = f"Brier {brier(labels, p):.3f}, of the base rate {_brier_of_base_rate(labels):.3f}"
        notes.append(place | {"epoch": 0.5, "value": 1.1, "label": score})
    reliable = pl.DataFrame(points)
    colour = options.split_colours()["Test"]
    counts = pl.DataFrame(bars)
    diagonal = pl.DataFrame({"epoch": [0.0, 1.0], "value": [0.0, 1.0]})
    facets = ("genre", "variant")
    layers = (
        Layer("bar", counts.drop("label"), colour=BARS, meaning="share of the posters in the bin"),
        Layer("text", counts.with_columns(pl.col("value") + 0.04), colour="#606060", weight=0.7),
        Layer("line", diagonal, colour="black", weight=0.5, meaning="calibrated"),
        Layer("line", reliable, colour=colour, meaning="share of positives"),
        Layer("point", reliable, colour=colour),
        Layer("note", pl.DataFrame(notes), colour="black", weight=1.1),
    )
    picture = Picture(
        name="calibration",
        title="Calibration on the test cohort",
        facets=Facets(("genre",), ("variant",), levels_of([reliable], facets)),
        layers=layers,
        x=Axis("predicted probability", (0.0, 1.0), (0.0, 0.5, 1.0)),
        y=Axis("share of positives", (0.0, 1.12), (0.0, 0.5, 1.0)),
        colours={},
        legend="",
        size=(1.0, 1.0),
        x_column="probability",
    )
    return sized(picture, options, panel=(2.2, 1.6))


def _brier_of_base_rate(labels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    rate = float(labels.mean())
    return rate * (1 - rate)
