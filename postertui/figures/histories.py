"""Histories as lines: which vertices are visible, and replicates as mean and interval."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from postertui.analysis.statistics import t_quantile
from postertui.figures.picture import BEYOND, DRAWN, ISOLATED, UNDEFINED

CONFIDENCE = 0.95


def classify_vertices(
    lines: pl.DataFrame, line: Sequence[str], limits: tuple[float, float] | None
) -> pl.DataFrame:
    """Each vertex of the lines with its `visibility`, in the order of line and epoch.

    A vertex whose neighbours on its line are both missing is isolated: a line cannot show it.

    Parameters
    ----------
    lines
        Rows with `epoch` and `value`.
    line
        The columns that tell one line from another.
    limits
        The axis of values, beyond which a vertex is missing; None for no limits.
    """
    outside = pl.lit(value=False)
    if limits is not None:
        outside = ~pl.col("value").is_between(*limits)
    lines = lines.sort(*line, "epoch", maintain_order=True).with_columns(
        pl.when(pl.col("value").is_null())
        .then(pl.lit(UNDEFINED))
        .when(outside)
        .then(pl.lit(BEYOND))
        .otherwise(pl.lit(DRAWN))
        .alias("visibility")
    )
    drawn = pl.col("visibility") == DRAWN
    before, after = drawn.shift(1).over(line), drawn.shift(-1).over(line)
    isolated = drawn & ~before.fill_null(value=False) & ~after.fill_null(value=False)
    return lines.with_columns(
        pl.when(isolated).then(pl.lit(ISOLATED)).otherwise("visibility").alias("visibility")
    )


def is_replicated(rows: pl.DataFrame, setting: Sequence[str]) -> bool:
    """Whether some setting has histories of several seeds."""
    seeds = rows.group_by(setting).agg(pl.col("seed").n_unique().alias("_seeds"))["_seeds"]
    return bool((seeds > 1).any())


def average_replicates(lines: pl.DataFrame, setting: Sequence[str]) -> pl.DataFrame:
    """Mean over the histories of each setting at each epoch, and its interval.

    Columns: `setting`, `epoch`, `value` (null where no history is defined), `low`, `high` (null
    below two defined histories), `n`. The interval is Student's t of the mean, at `CONFIDENCE`,
    with n - 1 degrees of freedom over the histories that are defined at that epoch.
    """
    means = (
        lines.group_by(*setting, "epoch")
        .agg(
            pl.col("value").mean(),
            pl.col("value").std().alias("_sd"),
            pl.col("value").count().alias("n"),
        )
        .sort(*setting, "epoch")
    )
    sizes = [n for n in means["n"].unique().to_list() if n > 1]
    quantiles = {n: t_quantile(0.5 + CONFIDENCE / 2, n - 1) for n in sizes}
    half = (
        pl.col("_sd")
        / pl.col("n").sqrt()
        * pl.col("n").replace_strict(quantiles, default=None, return_dtype=pl.Float64)
    )
    return means.with_columns(
        (pl.col("value") - half).alias("low"), (pl.col("value") + half).alias("high")
    ).drop("_sd")
