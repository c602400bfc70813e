"""Figures of single posters' probabilities: what a model could decide, and what it does.

`precision-recall`, `roc` and `threshold` are curves of decisions, `calibration` holds
probabilities against shares of positives, `confusion` counts the decisions made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from postertui.figures.calibration import draw_calibration
from postertui.figures.confusion import draw_confusion
from postertui.figures.decision_curves import (
    draw_precision_recall,
    draw_roc,
    draw_threshold,
)
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Hidden, Picture
from postertui.predictions.loading import RunPredictions
from postertui.system.errors import UserError

#: Functions of runs that are alive. A picture is called after its figure.
PREDICTION_FIGURES: dict[str, Callable[[Sequence[RunPredictions], FigureOptions], Picture]] = {
    "precision-recall": draw_precision_recall,
    "roc": draw_roc,
    "calibration": draw_calibration,
    "threshold": draw_threshold,
    "confusion": draw_confusion,
}


def draw_probabilities(
    name: str, runs: Sequence[RunPredictions], options: FigureOptions, *, without: int = 0
) -> Picture:
    """The figure of that name, drawn from predictions.

    Parameters
    ----------
    name
        One of `PREDICTION_FIGURES`.
    runs
        Runs with their predictions; dead ones are counted and left out.
    options
        How it looks.
    without
        How many of the runs asked for have no predictions.

    Raises
    ------
    UserError
        With exit code 3 where no run is left to draw, and for a strict figure.
    """
    if options.strict:
        raise UserError(f"figure {name}: 2017 had none; leave out --strict-published")
    alive = [run for run in runs if not run.is_dead]
    if not alive:
        reason = "all of its models are dead" if runs else "no run with predictions matches"
        raise UserError(
            f"figure {name}: {reason}; runs trained by this version keep them", exit_code=3
        )
    picture = PREDICTION_FIGURES[name](alive, options)
    lost = (("without predictions", without), ("dead", len(runs) - len(alive)))
    hidden = [
        Hidden("run" if count == 1 else "runs", cause, count) for cause, count in lost if count
    ]
    return replace(picture, name=name, hidden=(*picture.hidden, *hidden))
