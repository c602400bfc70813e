"""The posters' errors of a comparison: from the predictions that runs kept, else from counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postertui.system.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import polars as pl

    from postertui.analysis.posters import PosterErrors
    from postertui.predictions.loading import RunPredictions


def load_models(folder: Path | None, runs: Iterable[str]) -> list[RunPredictions]:
    """The predictions of those runs, as far as they were kept and their models live."""
    from postertui.predictions.loading import load_run

    models: list[RunPredictions] = []
    if folder is None:
        return models
    for run in runs:
        try:
            model = load_run(folder, run)
        except UserError:
            continue  # an old run, or its predictions were pruned
        if not model.is_dead:
            models.append(model)
    return models


def poster_errors(
    table: pl.DataFrame, values: pl.DataFrame, models: list[RunPredictions], metric: str
) -> tuple[PosterErrors, str]:
    """The errors, and where they are from in a sentence.

    Raises `UserError` where neither predictions nor counts give any.
    """
    from postertui.analysis.posters import (
        METRICS_OF_POSTERS,
        RESAMPLES,
        ModelPredictions,
        errors_from_counts,
        resample_posters,
    )

    if models and metric in METRICS_OF_POSTERS:
        errors = resample_posters(
            [
                ModelPredictions(
                    m.variant, m.genre, m.seed, m.test.ids, m.test.labels, m.test.probabilities
                )
                for m in models
            ],
            metric,
        )
        text = (
            f"Posters: {errors.posters:,}, resampled {RESAMPLES:,} times, the same for all models."
        )
        return errors, text
    errors = errors_from_counts(table, values)
    if not errors.variances:
        raise UserError(
            f"--over posters: no run kept predictions, and the table has no counts for {metric}; "
            "train again, or use --over runs"
        )
    return errors, (
        "Posters: no predictions were kept, so the error follows from counts as if two models "
        "erred independently; it is too large."
    )
