"""Notable posters as tables."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from postertui.analysis.tables.section import Column, Section, number, text
from postertui.predictions.loading import RunPredictions
from postertui.predictions.notable import TITLES, NotablePoster

SCHEMA = {
    "kind": pl.String,
    "id": pl.Int64,
    "cohort": pl.Int64,
    "label": pl.Boolean,
    "probability": pl.Float64,
}


def notable_section(run: RunPredictions, posters: Sequence[NotablePoster]) -> Section:
    """A run's notable posters, kind by kind."""
    frame = pl.DataFrame([tuple(p) for p in posters], schema=SCHEMA, orient="row")
    chosen = run.chosen_threshold is not None
    origin = "chosen on validation" if chosen else "as published: no validation cohort"
    notes = [f"Threshold {run.threshold:.3f}, {origin}."]
    if run.is_dead:
        notes = ["The model is dead: its weights are NaN, and so are its probabilities."]
    return Section(
        "posters",
        f"{run.genre}, {run.variant}, seed {run.seed}: test posters to look at",
        frame,
        [
            Column("which", lambda row: TITLES[row["kind"]]),
            Column("poster", text("id"), right=True),
            Column(run.genre, lambda row: "yes" if row["label"] else "no"),
            Column("probability", number("probability", 3), right=True),
        ],
        notes,
    )
