"""Mean and spread over seeds, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from postertui.analysis.statistics import t_quantile
from postertui.analysis.values import check_metric, dead_rows


def replicates(
    table: pl.DataFrame, metrics: Sequence[str], by: Sequence[str] = ("name", "genre")
) -> pl.DataFrame:
    """Each metric's mean over the runs of a setting at each epoch, with its interval.

    Columns: `by`, `epoch`, `metric`, `mean`, `sd`, `n`, `low`, `high`, in that order, sorted. `n`
    counts the runs that have the metric there (a dead run has none); `sd` is the sample standard
    deviation, and `low`, `high` are the 95 % interval of the mean by Student's t with n-1 degrees
    of freedom, all null for a single run. Raises `UserError` for an unknown metric.
    """
    for metric in metrics:
        check_metric(table, metric)
    keys = [*by, "epoch"]
    long = (
        table.filter(~dead_rows(table))
        .select(*keys, *(pl.col(m).cast(pl.Float64).fill_nan(None) for m in metrics))
        .unpivot(on=list(metrics), index=keys, variable_name="metric")
        .drop_nulls("value")
    )
    means = long.group_by(*keys, "metric").agg(
        mean=pl.mean("value"), sd=pl.std("value"), n=pl.len().cast(pl.Int64)
    )
    sizes = sorted(n for n in means["n"].unique().to_list() if n > 1)
    # Numbers of replicates are few: one quantile each.
    quantile = pl.DataFrame(
        {"n": sizes, "_factor": [t_quantile(0.975, n - 1) / math.sqrt(n) for n in sizes]},
        schema={"n": pl.Int64, "_factor": pl.Float64},
    )
    half = pl.col("sd") * pl.col("_factor")
    return (
        means.join(quantile, on="n", how="left")
        .with_columns(low=pl.col("mean") - half, high=pl.col("mean") + half)
        .drop("_factor")
        .sort(*by, "metric", "epoch")
        .select(*keys, "metric", "mean", "sd", "n", "low", "high")
    )


def mean_and_sd(mean: float | None, sd: float | None, n: int, digits: int = 3) -> str:
    """`.385 ± .004 (n = 5)` for a table; the mean alone for a single run; `n/a` for none."""
    if mean is None or n == 0:
        return "n/a"
    if sd is None or n < 2:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {sd:.{digits}f} (n = {n})"
