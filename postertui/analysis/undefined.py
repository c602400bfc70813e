"""Why a test F is undefined, row by row."""

from __future__ import annotations

import polars as pl

from postertui.analysis.cohorts import batch_size
from postertui.analysis.row_states import dead_rows
from postertui.study.labels import UNKNOWN_SETTING


def undefined_causes(table: pl.DataFrame) -> pl.DataFrame:
    """Why `test_fscore` is undefined, for each row where it is: `run epoch cause`.

    `dead`: the model is. `empty batch`: a live model's test F is undefined where a batch of the
    cohort has no positive; the cohort's batches are the same for all runs of one genre and batch
    size, so it must then be undefined in all their live epochs. `not recorded`: no epoch of a
    history of another program has it. `unexplained`: none of these.
    """
    undefined = pl.col("test_fscore").is_null() | pl.col("test_fscore").is_nan()
    rows = table.with_columns(_batch=batch_size(table), _dead=dead_rows(table))
    always = (undefined | pl.col("_dead")).all().over("genre", "_batch")
    is_foreign = pl.col("Regularizer").eq_missing(UNKNOWN_SETTING)
    cause = (
        pl.when("_dead")
        .then(pl.lit("dead"))
        .when(is_foreign & undefined.all().over("run"))
        .then(pl.lit("not recorded"))
        .when(always)
        .then(pl.lit("empty batch"))
        .otherwise(pl.lit("unexplained"))
    )
    return rows.with_columns(cause=cause).filter(undefined).select("run", "epoch", "cause")
