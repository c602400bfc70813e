"""Variants in order, per genre and overall, without a winner where the lead is noise.

Who may be the best is a question about the best of many, and the leader owes part of its lead to
having been picked. The answer is Hsu's multiple comparisons with the best: a variant ties with
the best unless it is behind the leader by more than a one-sided critical value times the standard
error of a difference (J. C. Hsu, "Multiple Comparisons", 1996, chapter 4). The critical value is
Bonferroni's for k-1 comparisons instead of Dunnett's: a little wider, so that there are rather
too many ties than too few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from postertui.analysis.noise import Noise, estimate_noise, find_equal_variants
from postertui.analysis.statistics import t_quantile
from postertui.analysis.values import (
    default_metric,
    lower_is_better,
    resolve_rule,
    rule_line,
    run_values,
)

SCHEMA = {
    "genre": pl.String,
    "name": pl.String,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "sd": pl.Float64,
    "n": pl.Int64,
    "rank": pl.Int64,
    "best": pl.Boolean,
    "behind": pl.Float64,
}
OVERALL_SCHEMA = {
    "name": pl.String,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "genres": pl.Int64,
    "rank": pl.Int64,
    "best": pl.Boolean,
    "behind": pl.Float64,
}
ALPHA = 0.05


@dataclass(frozen=True)
class Leaderboard:
    """`genres` has one row per genre and variant (`SCHEMA`), `overall` one per variant.

    `best` marks the leader and all that nothing separates from it; `behind` is how far a row is
    behind the leader. Intervals are 95 % for the mean over seeds, null where the noise is
    unknown; then nothing is marked, as nothing can be told apart. `overall.mean` is adjusted: see
    `_overall`.
    """

    metric: str
    genres: pl.DataFrame
    overall: pl.DataFrame
    noise: Noise
    notes: tuple[str, ...]


def leaderboard(
    table: pl.DataFrame, metric: str | None = None, rule: str | int = "last"
) -> Leaderboard:
    """The table's variants in order of `metric` (by default `default_metric`)."""
    metric = metric or default_metric(table)
    values = run_values(table, metric, resolve_rule(table, rule))
    noise = estimate_noise(values, find_equal_variants(table))
    sign = -1.0 if lower_is_better(metric) else 1.0
    cells = (
        values.filter(pl.col("state") == "ok")
        .group_by("genre", "name")
        .agg(mean=pl.mean("value"), sd=pl.std("value"), n=pl.len().cast(pl.Int64))
        .sort("genre", pl.col("mean") * -sign, "name")
    )
    rows: list[dict[str, Any]] = []
    for models in cells.partition_by("genre", maintain_order=True):
        rows += _rank_genre(models.to_dicts(), noise, sign)
    notes = [f"{metric} {rule_line(table, rule)}.", noise.line]
    if not noise.is_known:
        notes.append("Nothing is marked as best: without the noise no lead can be told from luck.")
    return Leaderboard(
        metric,
        pl.DataFrame(rows, schema=SCHEMA),
        _overall(cells, noise, sign),
        noise,
        tuple(notes),
    )


def lead_line(board: Leaderboard) -> str:
    """How large the leads are, in one sentence; empty where no genre has two variants."""
    leads = board.genres.filter(pl.col("rank") == 2)["behind"].to_list()
    if not leads:
        return ""
    alone = board.genres.group_by("genre").agg(pl.col("best").sum())["best"]
    text = f"The median lead of a winner is {median(leads):.4f}"
    if board.noise.is_known:
        text += f", the noise of a run {board.noise.sd:.4f}"
        text += f"; {int((alone == 1).sum())} of {len(alone)} genres have a lone winner"
    return text + "."


def _rank_genre(models: list[dict[str, Any]], noise: Noise, sign: float) -> list[dict[str, Any]]:
    """`models` of one genre, best first, with rank, interval and ties."""
    leader = models[0]
    if not noise.is_known:
        return [
            model
            | {"low": None, "high": None, "rank": rank, "best": False}
            | {"behind": sign * (leader["mean"] - model["mean"])}
            for rank, model in enumerate(models, 1)
        ]
    variance, df = noise.variance(leader["genre"])
    critical = t_quantile(1 - ALPHA / max(len(models) - 1, 1), df)
    rows = []
    for rank, model in enumerate(models, 1):
        half = t_quantile(1 - ALPHA / 2, df) * math.sqrt(variance / model["n"])
        behind = sign * (leader["mean"] - model["mean"])
        reach = critical * math.sqrt(variance * (1 / model["n"] + 1 / leader["n"]))
        rows.append(
            model
            | {"low": model["mean"] - half, "high": model["mean"] + half, "rank": rank}
            | {"best": behind <= reach, "behind": behind}
        )
    return rows


def _overall(cells: pl.DataFrame, noise: Noise, sign: float) -> pl.DataFrame:
    """Variants by their mean over genres, adjusted for the genres that each one lacks.

    Variants cover different genres, and genres differ more than variants do. The means are those
    of an additive model, value = variant + genre, fitted by least squares to the means over seeds
    and read at the average genre (least-squares means). The error is the noise between runs where
    it is known and the model's residuals otherwise, whichever is larger: a variant that is good
    for some genres and bad for others has no precise mean.
    """
    names = cells["name"].unique().sort().to_list()
    genres = cells["genre"].unique().sort().to_list()
    if not names:
        return pl.DataFrame(schema=OVERALL_SCHEMA)
    design = np.zeros((cells.height, len(names) + len(genres)))
    for row, (name, genre) in enumerate(cells.select("name", "genre").iter_rows()):
        design[row, names.index(name)] = 1
        design[row, len(names) + genres.index(genre)] = 1
    y = cells["mean"].to_numpy()
    # One direction is free (a constant moves from variants to genres); the pseudo-inverse takes
    # none of it, and means of variant plus average genre do not depend on it.
    inverse = np.linalg.pinv(design.T @ design)
    beta = inverse @ design.T @ y
    read = np.hstack([np.eye(len(names)), np.full((len(names), len(genres)), 1 / len(genres))])
    means = read @ beta
    df = cells.height - int(np.linalg.matrix_rank(design))
    residual = float(((y - design @ beta) ** 2).sum()) / df if df > 0 else math.nan
    variance = max(
        residual if df > 0 else 0.0,
        noise.sd**2 * float((1 / cells["n"].to_numpy()).mean()) if noise.is_known else 0.0,
    )
    covariance = read @ inverse @ read.T * variance
    order = np.argsort(-sign * means, kind="stable")
    leader = int(order[0])
    known = df > 0
    critical = t_quantile(1 - ALPHA / max(len(names) - 1, 1), df) if known else math.nan
    wide = t_quantile(1 - ALPHA / 2, df) if known else math.nan
    counts = dict(cells.group_by("name").len().iter_rows())
    rows = []
    for rank, i in enumerate(order.tolist(), 1):
        mean = float(means[i])
        behind = sign * (float(means[leader]) - mean)
        half = wide * math.sqrt(covariance[i, i])
        apart = covariance[i, i] + covariance[leader, leader] - 2 * covariance[i, leader]
        reach = critical * math.sqrt(max(float(apart), 0.0))
        rows.append(
            {"name": names[i], "mean": mean, "genres": counts[names[i]], "rank": rank}
            | {"low": mean - half if known else None, "high": mean + half if known else None}
            | {"best": bool(known and behind <= reach), "behind": behind}
        )
    return pl.DataFrame(rows, schema=OVERALL_SCHEMA)
