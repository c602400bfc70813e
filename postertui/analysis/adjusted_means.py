"""Variants over genres that not all of them cover: least-squares means of an additive model."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from postertui.analysis.noise import Noise
from postertui.analysis.statistics import Floats, t_quantile
from postertui.analysis.verdicts import ALPHA, MIN_DF

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

#: A residual variance below this is rounding: the additive model says nothing about errors.
_EXACT = 1e-12


def adjusted_means(cells: pl.DataFrame, noise: Noise, sign: float) -> pl.DataFrame:
    """Variants by their mean over genres, adjusted for the genres that each one lacks.

    Parameters
    ----------
    cells
        `setting_means`.
    noise
        The noise of a run.
    sign
        -1 where a lower value is better, else 1.

    Returns
    -------
    polars.DataFrame
        One row per variant (`OVERALL_SCHEMA`), best first.

    Notes
    -----
    Variants cover different genres, and genres differ more than variants do. The means are those
    of an additive model, value = variant + genre, fitted by least squares to the means over seeds
    and read at the average genre (least-squares means). Their error is the larger of two: the
    settings' noise, and the model's residuals, since a variant that is good for some genres and
    bad for others has no precise mean.
    """
    names = cells["name"].unique().sort().to_list()
    genres = cells["genre"].unique().sort().to_list()
    if not names:
        return pl.DataFrame(schema=OVERALL_SCHEMA)
    design = np.zeros((cells.height, len(names) + len(genres)))
    noises: list[tuple[float, float]] = []
    for row, (name, genre, n) in enumerate(cells.select("name", "genre", "n").iter_rows()):
        design[row, names.index(name)] = 1
        design[row, len(names) + genres.index(genre)] = 1
        variance, df = noise.variance(genre, name)
        noises.append((variance / n, df))
    # One direction is free (a constant moves from variants to genres); the pseudo-inverse takes
    # none of it, and means of variant plus average genre do not depend on it.
    inverse = np.linalg.pinv(design.T @ design)
    read = np.hstack([np.eye(len(names)), np.full((len(names), len(genres)), 1 / len(genres))])
    weights = read @ inverse @ design.T
    y = cells["mean"].to_numpy()
    means = weights @ y
    df = cells.height - int(np.linalg.matrix_rank(design))
    fitted = design @ (inverse @ design.T @ y)
    residual = float(((y - fitted) ** 2).sum()) / df if df > 0 else 0.0
    halves = _half_widths(weights, np.array(noises), residual, df)
    order = np.argsort(-sign * means, kind="stable")
    leader = float(means[order[0]])
    counts = dict(cells.group_by("name").len().iter_rows())
    rows = []
    for rank, i in enumerate(order.tolist(), 1):
        mean, half = float(means[i]), float(halves[i])
        has_interval = not math.isnan(half)
        rows.append(
            {"name": names[i], "mean": mean, "genres": counts[names[i]], "rank": rank}
            | {
                "low": mean - half if has_interval else None,
                "high": mean + half if has_interval else None,
            }
            | {"best": False, "behind": sign * (leader - mean)}
        )
    return pl.DataFrame(rows, schema=OVERALL_SCHEMA)


def _half_widths(weights: Floats, noises: Floats, residual: float, df: int) -> Floats:
    """Half the 95 % interval of each row of `weights` times the cells' means; NaN if unknown."""
    from_residuals = np.full(len(weights), math.nan)
    if df > 0 and residual > _EXACT:
        spread = np.sqrt(residual * (weights**2).sum(axis=1))
        from_residuals = t_quantile(1 - ALPHA / 2, df) * spread
    from_noise = np.full(len(weights), math.nan)
    if (noises[:, 1] > 0).all():
        total_df = float(noises[:, 1].min())
        spread = np.sqrt((weights**2 * noises[:, 0]).sum(axis=1))
        from_noise = t_quantile(1 - ALPHA / 2, max(total_df, MIN_DF)) * spread
    widths: Floats = np.fmax(from_residuals, from_noise)
    return widths
