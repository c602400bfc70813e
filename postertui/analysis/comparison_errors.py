"""The standard errors of a comparison, by the question that is asked of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl

from postertui.analysis.cohorts import cohort_facts
from postertui.analysis.contrasts import CellContrast, RowContrast, SettingRuns
from postertui.analysis.noise import Noise
from postertui.analysis.seed_clusters import shared_seed_error
from postertui.analysis.statistics import sum_of_variances
from postertui.analysis.verdicts import MIN_DF, THIN_MIN_DF

Over = Literal["auto", "runs", "posters", "both", "rotations", "genres"]

#: From this many rotations on, they can be a sample.
ENOUGH_ROTATIONS = 3


def row_error(
    row: RowContrast, runs: SettingRuns, noise: Noise, *, shared_seeds: bool
) -> tuple[float, float]:
    """The standard error of a row's mean difference and its degrees of freedom, 0 if unknown.

    Parameters
    ----------
    runs
        `runs_by_setting` of the table.
    shared_seeds
        Whether runs of one seed and different genres may share random numbers. Then a seed moves
        all genres of a variant together (`shared_seed_error`).

    Notes
    -----
    The genres are taken as given. Their cells' own variances add up, whatever their sizes; no
    other variant's runs enter, unless a cell has no replicates.
    """
    if not row.cells or not all(df > 0 for cell in row.cells for _, df in cell.terms):
        return math.nan, 0.0
    error = shared_seed_error(row, runs, noise) if shared_seeds and len(row.cells) > 1 else None
    if error is None:
        own = [term for cell in row.cells for term in cell.terms]
        variance, df = sum_of_variances(own, [t for cell in row.cells for t in cell.moderated])
        error = variance / len(row.cells) ** 2, df
    variance, df = error
    if noise.source == "known-equal variants":
        df = min(df, noise.df)
    return math.sqrt(variance), df


def rotation_error(cells: Sequence[CellContrast], test_share: float) -> tuple[float, float]:
    """The error of a mean difference over rotations and its degrees of freedom (Nadeau, Bengio).

    0 degrees where the two sides do not have the same runs, or there are fewer than
    `ENOUGH_ROTATIONS`.
    """
    by_fold: dict[str, list[float]] = {}
    for cell in cells:
        if cell.differences is None:
            return math.nan, 0.0
        for (_, fold, _), difference in cell.differences.items():
            by_fold.setdefault(fold, []).append(difference)
    means = [float(np.mean(own)) for own in by_fold.values()]
    if len(means) < ENOUGH_ROTATIONS:
        return math.nan, 0.0
    variance = float(np.var(means, ddof=1))
    return math.sqrt((1 / len(means) + test_share) * variance), len(means) - 1.0


def combine_errors(
    over: Over, of_runs: tuple[float, float], of_posters: float
) -> tuple[float, float]:
    """The standard error and degrees of freedom that `over` asks for, from those of both sources.

    Degrees are 0 where a source is unknown. That of posters is as good as known.

    Parameters
    ----------
    over
        What a comparison is to hold over.
    of_runs
        The standard error of training again, and its degrees of freedom.
    of_posters
        The standard error of other posters; NaN where it is unknown.
    """
    if over not in ("posters", "both"):
        return of_runs
    if math.isnan(of_posters):
        return math.nan, 0.0
    if over == "posters":
        return of_posters, math.inf
    error, df = of_runs
    if not df > 0 or math.isnan(error):
        return math.nan, 0.0
    total = math.hypot(error, of_posters)
    # Satterthwaite: only the part of the runs has few degrees of freedom.
    return total, df * (total / error) ** 4 if error > 0 else math.inf


def usable_df(cell: CellContrast) -> float:
    """A cell's degrees of freedom; 0 where its own samples of one degree need more beside them."""
    is_thin = any(df < MIN_DF for _, df in cell.terms)
    return 0.0 if is_thin and cell.df < THIN_MIN_DF else cell.df


def posters_tested_per_trained(table: pl.DataFrame) -> float:
    """Test posters by training posters, from counts, else from the number of cohorts; 1 unknown."""
    facts = cohort_facts(table).drop_nulls(["train_posters", "test_posters"])
    if facts.height:
        return float(facts["test_posters"].sum()) / float(facts["train_posters"].sum())
    if not {"train_cohorts", "test_cohorts"} <= set(table.columns):
        return 1.0
    digits = table.select(
        test=pl.col("test_cohorts").str.len_chars().mean(),
        train=pl.col("train_cohorts").str.len_chars().mean(),
    ).row(0)
    return digits[0] / digits[1] if digits[0] and digits[1] else 1.0
