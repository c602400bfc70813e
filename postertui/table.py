"""The history table: one row per epoch of every run.

The published columns come first, under the names of 2017, so that any table from then loads and
any table written today opens in the old R code.
"""

from __future__ import annotations

import polars as pl

PUBLISHED_SCHEMA: dict[str, type[pl.DataType]] = {
    "Regularizer": pl.String,
    "FC1": pl.Int64,
    "FC2": pl.Int64,
    "genre": pl.String,
    "variant": pl.String,
    "epoch": pl.Int64,
    "train_loss": pl.Float64,
    "train_accuracy": pl.Float64,
    "train_fscore": pl.Float64,
    "test_loss": pl.Float64,
    "test_accuracy": pl.Float64,
    "test_fscore": pl.Float64,
}

_COUNTS = {
    f"{cohort}_{cell}": pl.Int64
    for cohort in ("train", "test")
    for cell in ("tp", "fp", "fn", "tn")
}

ADDED_SCHEMA: dict[str, type[pl.DataType]] = {
    "name": pl.String,
    "run": pl.String,
    "seed": pl.Int64,
    "attempt": pl.Int64,
    "study": pl.String,
    "train_fscore_soft": pl.Float64,
    "train_fscore_hard": pl.Float64,
    "test_fscore_soft": pl.Float64,
    "test_fscore_hard": pl.Float64,
    **_COUNTS,
    "train_base_rate": pl.Float64,
    "test_base_rate": pl.Float64,
    "batch_size": pl.Int64,
    "empty_batches": pl.Int64,
    "dead": pl.Boolean,
    "learning_rate": pl.Float64,
    "seconds": pl.Float64,
}

#: Column name to polars type, in the order in which a table is written.
SCHEMA: dict[str, type[pl.DataType]] = {**PUBLISHED_SCHEMA, **ADDED_SCHEMA}
