"""The columns of a history table, and a table with exactly those.

The published columns come first, with their names of 2017, so that any table from then loads and
any table written today opens in the old R code. An undefined metric is null in memory and `NaN`
in text. Columns of other programs' metrics follow, under the names they came with.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from postertui.published.facts import BASE_RATES
from postertui.runs.epoch_line import SCORES
from postertui.study.labels import UNKNOWN_SETTING

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

_VALIDATION: dict[str, type[pl.DataType]] = {
    "val_base_rate": pl.Float64,
    **{f"val_{m}": pl.Float64 for m in ("loss", "accuracy", "fscore")},
    **{f"val_fscore_{kind}": pl.Float64 for kind in ("soft", "hard")},
    **{f"val_{cell}": pl.Int64 for cell in ("tp", "fp", "fn", "tn")},
}

ADDED_SCHEMA: dict[str, type[pl.DataType]] = {
    "name": pl.String,
    "run": pl.String,
    "seed": pl.Int64,
    "attempt": pl.Int64,
    "study": pl.String,
    "random_key": pl.String,
    "stopped_early": pl.Boolean,
    "train_cohorts": pl.String,
    "test_cohorts": pl.String,
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
    **_VALIDATION,
    **dict.fromkeys(SCORES, pl.Float64),
}

#: Column name to polars type, in the order in which a table is written.
SCHEMA: dict[str, type[pl.DataType]] = {**PUBLISHED_SCHEMA, **ADDED_SCHEMA}

#: A run's values for columns that its table lacks.
DEFAULTS: dict[str, Any] = {"seed": 0, "attempt": 1, "study": "imported", "dead": False}

#: The columns that identify a history; a table without them cannot be read.
SETTING = ("Regularizer", "FC1", "FC2", "genre", "variant")
REQUIRED = (*SETTING, "epoch")

#: The last epoch that a run can have.
MAX_EPOCH = 10_000_000


#: A metric's name as a column beyond `SCHEMA` may have it.
EXTRA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def extra_columns(table: pl.DataFrame) -> list[str]:
    """The columns beyond `SCHEMA` that hold numbers: metrics of other programs."""
    return [
        name
        for name, dtype in table.schema.items()
        if name not in SCHEMA and EXTRA_NAME.fullmatch(name) and dtype.is_numeric()
    ]


def normalise(table: pl.DataFrame) -> pl.DataFrame:
    """The table with the columns of `SCHEMA`, then its `extra_columns` as floats.

    Undefined values and empty strings are null.

    Parameters
    ----------
    table
        Columns of `SCHEMA` that it lacks are null.
    """
    columns = []
    for name, dtype in SCHEMA.items():
        column = pl.col(name) if name in table.columns else pl.lit(None).alias(name)
        column = column.cast(dtype)
        if dtype is pl.Float64:
            column = pl.when(column.is_finite()).then(column)
        elif dtype is pl.String and name not in SETTING:
            column = pl.when(column != "").then(column)
        columns.append(column.alias(name))
    for name in extra_columns(table):
        number = pl.col(name).cast(pl.Float64)
        columns.append(pl.when(number.is_finite()).then(number).alias(name))
    return table.select(columns)


def with_base_rates(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with base rates that it lacks taken from the 2017 study, where it had the genre.

    Histories of other programs keep theirs missing: a genre of the same name is of other posters.
    """
    is_ours = pl.col("Regularizer").ne_missing(UNKNOWN_SETTING)
    rates = (
        pl.col("genre").replace_strict(
            list(BASE_RATES),
            [pair[i] for pair in BASE_RATES.values()],
            default=None,
            return_dtype=pl.Float64,
        )
        for i in (0, 1)
    )
    return table.with_columns(
        pl.col(column).fill_null(pl.when(is_ours).then(rate))
        for column, rate in zip(("train_base_rate", "test_base_rate"), rates, strict=True)
    )
