"""Ensembles of probabilities as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from postertui.analysis.blends import BlendedRun, BlendRecipe, scores_of
from postertui.analysis.tables.section import Column, Section, number, text
from postertui.predictions.loading import RunPredictions

#: Columns of the tables, with their headings.
SCORES = {
    "test_ap": "AP",
    "test_auroc": "AUROC",
    "test_brier": "Brier",
    "test_fscore_hard": "macro-F1 at .5",
    "test_fscore_threshold": "macro-F1 at the threshold",
}


def blend_sections(recipe: BlendRecipe, blended: Sequence[BlendedRun]) -> list[Section]:
    """The ensemble next to its members over all genres, and each genre with its weights."""
    runs = [b.predictions for b in blended] + [m for b in blended for m in b.members]
    scores = pl.DataFrame(
        [{"genre": r.genre, "variant": r.variant, "seed": r.seed} | scores_of(r) for r in runs],
        infer_schema_length=None,
    )
    totals = (
        scores.group_by("variant", "genre")
        .agg(pl.col(*SCORES).cast(pl.Float64).mean())
        .group_by("variant")
        .agg(pl.len().alias("genres"), pl.col(*SCORES).mean())
        .sort(pl.col("variant") != recipe.name, -pl.col("test_ap"), "variant")
    )
    seeds = len({b.predictions.seed for b in blended})
    notes = [
        f"Means over genres, each the mean over {seeds} seed{'s' * (seeds != 1)}, on test.",
        "The ensemble's weights are equal."
        if recipe.kind == "average"
        else "The ensemble's weights were chosen on validation.",
    ]
    if any(b.predictions.validation is None for b in blended):
        notes.append("Without a validation cohort no threshold is chosen.")
    return [
        Section(
            "ensemble",
            f"{recipe.name} next to its members",
            totals,
            [
                Column("model", text("variant")),
                Column("genres", text("genres"), right=True),
                *(Column(heading, number(name), right=True) for name, heading in SCORES.items()),
            ],
            notes,
        ),
        Section(
            "genres",
            "Genre by genre",
            pl.DataFrame([_genre_row(g, blended) for g in _genres(blended)]),
            [
                Column("genre", text("genre")),
                Column("AP", number("ap"), right=True),
                Column("best member", text("member")),
                Column("its AP", number("member_ap"), right=True),
                Column("weights", text("weights")),
            ],
            ["The best member is the one with the highest average precision on validation."],
        ),
    ]


def _genres(blended: Sequence[BlendedRun]) -> list[str]:
    return list(dict.fromkeys(b.predictions.genre for b in blended))


def _genre_row(genre: str, blended: Sequence[BlendedRun]) -> dict[str, Any]:
    own = [b for b in blended if b.predictions.genre == genre]
    weights = {name: float(np.mean([b.weights[name] for b in own])) for name in own[0].weights}
    shown = sorted(weights.items(), key=lambda item: -abs(item[1]))
    best = [max(b.members, key=_validation_ap) for b in own]
    members = list(dict.fromkeys(run.variant for run in best))
    return {
        "genre": genre,
        "ap": _mean_ap([b.predictions for b in own]),
        "member": ", ".join(members) if not math.isnan(_validation_ap(best[0])) else None,
        "member_ap": _mean_ap(best) if not math.isnan(_validation_ap(best[0])) else None,
        "weights": ", ".join(f"{name} {weight:.2f}" for name, weight in shown if weight),
    }


def _validation_ap(run: RunPredictions) -> float:
    value = scores_of(run)["val_ap"]
    return math.nan if value is None else value


def _mean_ap(runs: Sequence[RunPredictions]) -> float | None:
    values = [value for run in runs if (value := scores_of(run)["test_ap"]) is not None]
    return float(np.mean(values)) if values else None
