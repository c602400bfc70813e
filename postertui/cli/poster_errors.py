"""The posters' errors of a comparison: from the predictions that runs kept, else from counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postertui.system.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from postertui.analysis.posters import McNemar, ModelPredictions, PosterErrors
    from postertui.history.selection import History


def load_models(history: History, names: Iterable[str]) -> list[ModelPredictions]:
    """The predictions for test posters of the runs of those variants, as far as they were kept."""
    import polars as pl

    from postertui.analysis.posters import ModelPredictions
    from postertui.predictions.table import read_predictions
    from postertui.runs.spec import read_spec, run_folder

    if history.folder is None:
        return []
    runs = history.table.filter(pl.col("name").is_in(list(names)))
    models = []
    for run in runs["run"].unique(maintain_order=True):
        folder = run_folder(history.folder, run)
        try:
            spec = read_spec(folder)
            own = read_predictions(folder).of_cohorts(spec.test_cohorts)
        except UserError:
            continue  # an old run, or its predictions were pruned
        models.append(
            ModelPredictions(
                spec.variant.name, spec.genre, spec.seed, own.ids, own.labels, own.probabilities
            )
        )
    return models


def poster_errors(
    history: History, values: pl.DataFrame, models: list[ModelPredictions], metric: str
) -> tuple[PosterErrors, str]:
    """The errors, and where they are from in a sentence.

    Raises `UserError` where neither predictions nor counts give any.
    """
    from postertui.analysis.posters import (
        METRICS_OF_POSTERS,
        RESAMPLES,
        errors_from_counts,
        resample_posters,
    )

    if models and metric in METRICS_OF_POSTERS:
        errors = resample_posters(models, metric)
        text = (
            f"Posters: {errors.posters:,}, resampled {RESAMPLES:,} times, the same for all models."
        )
        return errors, text
    errors = errors_from_counts(history.table, values)
    if not errors.variances:
        raise UserError(
            f"--over posters: no run kept predictions, and the table has no counts for {metric}; "
            "train again, or use --over runs"
        )
    return errors, (
        "Posters: no predictions were kept, so the error follows from counts as if two models "
        "erred independently; it is too large."
    )


def mcnemar_of_pairs(
    models: list[ModelPredictions], reference: str
) -> dict[tuple[str, str], McNemar]:
    """McNemar's test of each variant against `reference`, of the lowest seed that both have."""
    from postertui.analysis.posters import mcnemar

    by_run = {(m.name, m.genre, m.seed): m for m in models}
    tests: dict[tuple[str, str], McNemar] = {}
    for (name, genre, seed), model in sorted(by_run.items()):
        other = by_run.get((reference, genre, seed))
        if name != reference and other is not None and (name, genre) not in tests:
            tests[name, genre] = mcnemar(model, other)
    return tests
