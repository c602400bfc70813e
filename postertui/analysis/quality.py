"""What each variant's models are worth, and what they cost.

F alone hides quality: it depends on the threshold, and an all-positive model has a high one. Next
to F at .5 stand F at the threshold chosen on validation, and average precision, AUROC and Brier
score, which need no threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from postertui.predictions.scores import Counts

if TYPE_CHECKING:
    from postertui.filters import Record

#: Metric columns of which the mean over genres is shown.
MEANS = (
    "test_precision",
    "test_recall",
    "test_fscore_threshold",
    "test_ap",
    "test_auroc",
    "test_brier",
)

SCHEMA = {
    "name": pl.String,
    "genres": pl.Int64,
    "runs": pl.Int64,
    "macro_f1": pl.Float64,
    "micro_f1": pl.Float64,
    **dict.fromkeys(MEANS, pl.Float64),
    "train_seconds": pl.Float64,
    "predict_seconds": pl.Float64,
    "kept_bytes": pl.Float64,
}

_CELLS = ("tp", "fp", "fn", "tn")


def variant_quality(
    table: pl.DataFrame,
    records: Mapping[str, Record] | None = None,
    kept_bytes: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """One row per variant (`SCHEMA`), by average precision, then macro F1, the best first.

    Everything is of each run's last epoch on the test cohort; dead runs count as no decision
    right: they have no scores. `macro_f1` is the mean of the genres' F of decisions at .5,
    `micro_f1` is F of all genres' decisions together; each genre is the mean over its seeds.

    Parameters
    ----------
    records
        The runs by name as `Run.record` has them, for `predict_seconds` (for 1,000 posters).
    kept_bytes
        Bytes of weights and predictions on disk, by run.
    """
    seconds = table.group_by("run").agg(train_seconds=pl.col("seconds").sum())
    last = table.sort("epoch", maintain_order=True)
    last = last.unique("run", keep="last", maintain_order=True)
    last = last.join(seconds, on="run", maintain_order="left")
    last = last.with_columns(
        _by_run(last, {run: r.get("predict_seconds") for run, r in (records or {}).items()}).alias(
            "predict_seconds"
        ),
        _by_run(last, kept_bytes or {}).alias("kept_bytes"),
    )
    cells = [f"test_{cell}" for cell in _CELLS]
    # In a steady order, so that means are the same to the last digit each time.
    genres = last.group_by("name", "genre", maintain_order=True).agg(
        pl.col("run").n_unique().alias("runs"),
        pl.col("test_fscore_hard", *MEANS, *cells).cast(pl.Float64).mean(),
        pl.col("train_seconds", "predict_seconds", "kept_bytes").mean(),
    )
    variants = genres.group_by("name", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("genres"),
        pl.col("runs").sum().cast(pl.Int64),
        pl.col("test_fscore_hard").mean().alias("macro_f1"),
        pl.col(*MEANS).mean(),
        pl.col(*cells).sum(),
        pl.col("test_tp").null_count().alias("uncounted"),
        pl.col("train_seconds", "predict_seconds", "kept_bytes").mean(),
    )
    micro = [
        None if row["uncounted"] else Counts(*(row[c] for c in cells)).fscore
        for row in variants.iter_rows(named=True)
    ]
    return (
        variants.with_columns(pl.Series("micro_f1", micro, dtype=pl.Float64).fill_nan(None))
        .select(*SCHEMA)
        .cast(SCHEMA)  # type: ignore[arg-type]
        .sort("test_ap", "macro_f1", "name", descending=[True, True, False], nulls_last=True)
    )


def _by_run(table: pl.DataFrame, values: Mapping[str, float | None]) -> pl.Series:
    """The run's value in each row; null where it has none."""
    return pl.Series([values.get(run) for run in table["run"]], dtype=pl.Float64, strict=False)
