"""Runs paired over genre and seed, and each genre's difference held against the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from postertui.analysis.noise import ENOUGH_DF, Noise
from postertui.analysis.statistics import (
    benjamini_hochberg,
    holm,
    moderate,
    squeeze_variances,
    t_p_value,
    t_quantile,
    t_ratio,
)

Correction = Literal["holm", "bh", "none"]
CORRECTIONS = {
    "holm": "Holm: at most a 5 % chance of one false claim among all",
    "bh": "Benjamini-Hochberg: at most 5 % of the claims false",
    "none": "not corrected: one in twenty equal settings will look different",
}
ALPHA = 0.05

CELL_SCHEMA = {
    "name": pl.String,
    "reference": pl.String,
    "genre": pl.String,
    "pairs": pl.Int64,
    "value": pl.Float64,
    "reference_value": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "p_adjusted": pl.Float64,
    "verdict": pl.String,
}


@dataclass(frozen=True)
class DifferenceNoise:
    """The noise of one pair's difference: `variance` pooled over all cells, with `df`.

    `prior` is what a cell's own variance is drawn towards. From the paired seeds' own spread
    where there are enough of them, since a seed that two runs share moves both; else twice the
    variance of a run. `df` 0 says that it is unknown.
    """

    variance: float = math.nan
    df: float = 0.0
    prior: float = math.nan
    prior_df: float = 0.0
    runs: Noise | None = None

    def cell(self, genre: str, variance: float | None, pairs: int) -> tuple[float, float]:
        """The variance of one pair's difference in a cell, and its degrees of freedom."""
        if self.df == 0:
            return math.nan, 1.0
        if self.runs is not None:
            run_variance, df = self.runs.variance(genre)
            return 2 * run_variance, df
        if self.prior_df == 0:
            return self.variance, self.df
        moderated, df = moderate(variance or 0.0, pairs - 1.0, self.prior, self.prior_df)
        return moderated, min(df, self.df)


def difference_noise(cells: pl.DataFrame, noise: Noise) -> DifferenceNoise:
    """From cells with columns `pairs` and `variance` (of their differences), else from `noise`."""
    replicated = cells.filter(pl.col("pairs") > 1)
    dfs = replicated["pairs"].to_numpy() - 1.0
    if dfs.sum() >= ENOUGH_DF:
        variances = replicated["variance"].to_numpy()
        pooled = float((variances * dfs).sum() / dfs.sum())
        return DifferenceNoise(pooled, float(dfs.sum()), *squeeze_variances(variances, dfs))
    if noise.is_known:
        return DifferenceNoise(2 * noise.sd**2, noise.df, runs=noise)
    return DifferenceNoise()


def pair_runs(values: pl.DataFrame, name: str, reference: str) -> pl.DataFrame:
    """The pairs of runs of two variants that share genre and seed.

    Columns `name reference genre value reference_value difference`; pairs of which one value is
    missing are left out. Where the two variants have no seed in common, the first run of the one
    meets the first of the other.
    """
    keys = ["genre", "seed", "replicate"]
    a = values.filter(pl.col("name") == name)
    b = values.filter(pl.col("name") == reference)
    if a.join(b, on=keys).is_empty():
        keys = ["genre", "turn"]
        turn = pl.int_range(pl.len()).over("genre")
        a, b = (v.sort("seed", "replicate").with_columns(turn=turn) for v in (a, b))
    joined = a.join(b.select(*keys, reference_value="value"), on=keys)
    joined = joined.filter(pl.col("value").is_not_null() & pl.col("reference_value").is_not_null())
    return joined.select(
        "name",
        pl.lit(reference).alias("reference"),
        "genre",
        "value",
        "reference_value",
        difference=pl.col("value") - pl.col("reference_value"),
    ).sort("genre", maintain_order=True)


def group_cells(pairs: pl.DataFrame) -> pl.DataFrame:
    """One row per pair of variants and genre: the means over seeds, and their spread."""
    return pairs.group_by("name", "reference", "genre", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("pairs"),
        pl.mean("value", "reference_value", "difference"),
        variance=pl.var("difference"),
    )


def assess_cells(
    groups: pl.DataFrame, spread: DifferenceNoise, correction: Correction, sign: float = 1.0
) -> pl.DataFrame:
    """`group_cells` with interval, p-value and verdict (`CELL_SCHEMA`).

    `sign` is -1 for a metric of which less is better.
    """
    cells: list[dict[str, Any]] = []
    for group in groups.iter_rows(named=True):
        n = group["pairs"]
        variance, df = spread.cell(group["genre"], group.pop("variance"), n)
        cells.append(group | interval_and_p(group["difference"], math.sqrt(variance / n), df))
    fields = {k: v for k, v in CELL_SCHEMA.items() if k not in ("p_adjusted", "verdict")}
    return with_verdicts(pl.DataFrame(cells, schema=fields), correction, sign).select(*CELL_SCHEMA)


def interval_and_p(mean: float, se: float, df: float) -> dict[str, float]:
    """The 95 % interval and two-sided p-value of a mean against 0; NaN where `se` is."""
    if math.isnan(se):
        return {"low": math.nan, "high": math.nan, "p": math.nan}
    half = t_quantile(1 - ALPHA / 2, df) * se
    return {"low": mean - half, "high": mean + half, "p": t_p_value(t_ratio(mean, se), df)}


def with_verdicts(frame: pl.DataFrame, correction: Correction, sign: float) -> pl.DataFrame:
    """`frame` with `p_adjusted` and `verdict` from its `p` and `difference`."""
    p = frame["p"].to_list()
    match correction:
        case "holm":
            adjusted = holm(p)
        case "bh":
            adjusted = benjamini_hochberg(p)
        case "none":
            adjusted = p
    gain = pl.col("difference") * sign
    frame = frame.with_columns(p_adjusted=pl.Series(adjusted, dtype=pl.Float64))
    return frame.with_columns(
        verdict=pl.when(pl.col("p_adjusted").is_nan())
        .then(pl.lit("too little data"))
        .when((pl.col("p_adjusted") < ALPHA) & (gain > 0))
        .then(pl.lit("better"))
        .when((pl.col("p_adjusted") < ALPHA) & (gain < 0))
        .then(pl.lit("worse"))
        .otherwise(pl.lit("undecided"))
    )
