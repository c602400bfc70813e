"""Differences between two settings of a genre, and the error that training again gives them.

A difference is one of means over all seeds of either side. Where both sides have the same seeds,
their runs are pairs, and the spread of the pairs' differences is the error: what a seed does to
both runs cancels. Otherwise the spreads of the two sides add up.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import polars as pl

from postertui.analysis.noise import Noise, replicable
from postertui.analysis.statistics import Floats, satterthwaite_df
from postertui.analysis.variances import moderate_table

#: A run of a setting: its seed, its fold (the cohorts that trained and tested), and its number
#: among the runs of both.
SeedKey = tuple[int, str, int]
SettingRuns = Mapping[tuple[str, str], Mapping[SeedKey, float]]

#: The correlation of squared differences from one and the same reference.
_SHARED_REFERENCE = 0.25


@dataclass
class CellContrast:
    """The difference between two settings of one genre.

    Attributes
    ----------
    pairs
        Pairs of runs with one seed, or the smaller number of runs where seeds do not match.
    differences
        By seed, where all seeds match; else None.
    terms
        Variances whose sum is that of `difference`, from the cell's own runs where they have
        replicates, each with its degrees of freedom.
    moderated
        The same, moderated over the table.
    variance, df
        The moderated variance of `difference` and its degrees of freedom, 0 where unknown.
    """

    genre: str
    pairs: int
    value: float
    reference_value: float
    differences: Mapping[SeedKey, float] | None
    terms: list[tuple[float, float]] = field(default_factory=list)
    moderated: list[tuple[float, float]] = field(default_factory=list)
    variance: float = math.nan
    df: float = 0.0

    @property
    def difference(self) -> float:
        return self.value - self.reference_value


@dataclass
class RowContrast:
    """The differences between two variants over their common genres."""

    name: str
    reference: str
    cells: list[CellContrast]

    @property
    def difference(self) -> float:
        return fmean(cell.difference for cell in self.cells) if self.cells else math.nan


@dataclass(frozen=True)
class SettingValues:
    """What the runs of each setting, by (name, genre), are worth.

    Attributes
    ----------
    runs
        `runs_by_setting`.
    means
        Their means.
    genres
        By a variant's name, the genres in which it has runs.
    replicable
        The settings whose spread is noise (`postertui.analysis.noise.replicable`).
    """

    runs: SettingRuns
    means: Mapping[tuple[str, str], float]
    genres: Mapping[str, set[str]]
    replicable: frozenset[tuple[str, str]]


def setting_values(values: pl.DataFrame) -> SettingValues:
    """The values of `run_values` by setting."""
    runs = runs_by_setting(values)
    genres: dict[str, set[str]] = {}
    for name, genre in runs:
        genres.setdefault(name, set()).add(genre)
    return SettingValues(
        runs,
        {setting: fmean(own.values()) for setting, own in runs.items()},
        genres,
        frozenset(replicable(values).select("name", "genre").unique().iter_rows()),
    )


def runs_by_setting(values: pl.DataFrame) -> dict[tuple[str, str], dict[SeedKey, float]]:
    """The values of `run_values` that are defined, by (name, genre) and seed."""
    settings: dict[tuple[str, str], dict[SeedKey, float]] = {}
    ok = values.filter(pl.col("state") == "ok")
    columns = ("name", "genre", "seed", "fold", "replicate", "value")
    for name, genre, seed, fold, replicate, value in ok.select(columns).iter_rows():
        settings.setdefault((name, genre), {})[seed, fold, replicate] = value
    return settings


def contrast_rows(
    settings: SettingValues,
    chosen: Sequence[tuple[str, str]],
    noise: Noise,
    *,
    genres: Collection[str] | None = None,
    shared_seeds: bool = False,
) -> list[RowContrast]:
    """Each chosen pair of variants, genre by genre, with errors from `noise` and from pairs.

    Paired variances are moderated over all variants and genres of the table that meet the same
    reference, whatever is chosen: a filter changes no interval.

    Parameters
    ----------
    settings
        Those of the whole table.
    chosen
        Pairs of (name, reference).
    noise
        The noise of the whole table (`estimate_noise`).
    genres
        Those compared, by default all.
    shared_seeds
        Whether runs of one seed and different genres may share random numbers: then a variant's
        genres say less about its variance than as many independent samples.
    """
    pairs = list(chosen)
    references = {reference for _, reference in chosen}
    if len(references) == 1:
        (reference,) = references
        pairs += [
            (n, reference)
            for n in sorted(settings.genres.keys() - {n for n, _ in chosen} - references)
        ]
    rows = []
    for name, reference in pairs:
        common = settings.genres.get(name, set()) & settings.genres.get(reference, set())
        cells = [_contrast(settings, name, reference, genre) for genre in sorted(common)]
        rows.append(RowContrast(name, reference, cells))
    _add_paired_variances(rows, settings.replicable, shared_seeds=shared_seeds)
    rows = rows[: len(chosen)]
    if genres is not None:
        for row in rows:
            row.cells = [cell for cell in row.cells if cell.genre in genres]
    for row in rows:
        for cell in row.cells:
            if not cell.terms:
                _add_variances(cell, row, settings.runs, noise)
    return rows


def _contrast(settings: SettingValues, name: str, reference: str, genre: str) -> CellContrast:
    a, b = settings.runs[name, genre], settings.runs[reference, genre]
    differences = {key: a[key] - b[key] for key in a} if a.keys() == b.keys() else None
    return CellContrast(
        genre,
        min(len(a), len(b)),
        settings.means[name, genre],
        settings.means[reference, genre],
        differences,
    )


def _add_paired_variances(
    rows: Sequence[RowContrast], spread: frozenset[tuple[str, str]], *, shared_seeds: bool
) -> None:
    """The variances of cells whose seeds match, moderated over rows and genres."""
    genres = sorted({cell.genre for row in rows for cell in row.cells})
    own, own_df = np.zeros((len(rows), len(genres))), np.zeros((len(rows), len(genres)))
    paired: list[tuple[int, int, CellContrast]] = []
    for i, row in enumerate(rows):
        for cell in row.cells:
            settings = {(row.name, cell.genre), (row.reference, cell.genre)}
            if cell.differences is None or cell.pairs < 2 or not settings & spread:
                continue
            variance = float(np.var(list(cell.differences.values()), ddof=1))
            if variance == 0 and cell.difference == 0:
                continue  # one and the same training under two names
            j = genres.index(cell.genre)
            own[i, j], own_df[i, j] = variance, cell.pairs - 1
            paired.append((i, j, cell))
    if not paired:
        return
    correlation = 0.0
    if shared_seeds:
        correlation = seed_correlation(
            [cell.differences for cell in row.cells if cell.differences] for row in rows
        )
    # Squares of numbers with correlation r correlate by r².
    table = moderate_table(own, own_df, _SHARED_REFERENCE, correlation**2)
    for i, j, cell in paired:
        variance, cell.df = table.moderated(i, j)
        cell.variance = variance / cell.pairs
        cell.terms = [(own[i, j] / cell.pairs, own_df[i, j])]
        cell.moderated = [(cell.variance, cell.df)]


def seed_correlation(groups: Iterable[Sequence[Mapping[SeedKey, float]]]) -> float:
    """How strongly values of one seed and different genres correlate, 0 to 1.

    Parameters
    ----------
    groups
        Of each variant, its genres' values by seed.

    Returns
    -------
    float
        Over all groups, the sum of covariances by that of products of standard deviations.
    """
    covariances = products = 0.0
    for group in groups:
        if len(group) < 2:
            continue
        seeds = sorted(frozenset.intersection(*(frozenset(genre) for genre in group)))
        if len(seeds) < 2:
            continue
        matrix: Floats = np.array([[genre[seed] for seed in seeds] for genre in group])
        spreads = matrix.std(axis=1, ddof=1)
        own = float((spreads**2).sum())
        covariances += float(matrix.sum(axis=0).var(ddof=1)) - own
        products += float(spreads.sum()) ** 2 - own
    return min(max(covariances / products, 0.0), 1.0) if products > 0 else 0.0


def _add_variances(cell: CellContrast, row: RowContrast, runs: SettingRuns, noise: Noise) -> None:
    """The variance of a cell whose seeds do not match, or that has one run a side."""
    for name in (row.name, row.reference):
        n = len(runs[name, cell.genre])
        variance, df = noise.variance(cell.genre, name)
        cell.moderated.append((variance / n, df))
        own, own_df = noise.own(cell.genre, name)
        cell.terms.append((own / n, own_df) if own_df > 0 else cell.moderated[-1])
    if not all(df > 0 for _, df in cell.moderated):
        return
    cell.variance = sum(variance for variance, _ in cell.moderated)
    cell.df = satterthwaite_df(cell.moderated)
    if noise.source != "replicates":
        # Both sides have one and the same estimate.
        cell.df = min(df for _, df in cell.moderated)
        cell.terms = cell.moderated = [(cell.variance, cell.df)]
