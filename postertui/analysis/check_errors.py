"""The error of a check's differences: both tables are of one training, with one variance a setting.

The null hypothesis of a check is that the runs of a setting in the table and in the reference are
of one and the same training. Where the seeds of both sides match, their runs are pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
import polars as pl

from postertui.analysis.contrasts import SeedKey, seed_correlation
from postertui.analysis.noise import MIN_NOISE_DF, Noise, estimate_noise
from postertui.analysis.seed_clusters import Sample, clustered_error
from postertui.analysis.variances import moderate_table


@dataclass
class CheckedSetting:
    """A setting in both tables: its runs by seed, and the variance of one run."""

    name: str
    genre: str
    now: Mapping[SeedKey, float]
    then: Mapping[SeedKey, float]
    own: float = 0.0
    own_df: float = 0.0
    variance: float = math.nan
    df: float = 0.0

    @property
    def is_paired(self) -> bool:
        return self.now.keys() == self.then.keys()

    @property
    def differences(self) -> dict[SeedKey, float]:
        return {key: self.now[key] - self.then[key] for key in self.now}

    @property
    def difference(self) -> float:
        return fmean(self.now.values()) - fmean(self.then.values())

    @property
    def factor(self) -> float:
        """The variance of `difference` in units of one run's."""
        return 1 / len(self.now) + 1 / len(self.then)


def noise_of_both(now: pl.DataFrame, then: pl.DataFrame, equal: Mapping[str, str]) -> Noise:
    """The noise within the settings of either table, never between them.

    A run that is in both tables, number for number, counts once. Variants that are the same under
    two names count within one table only.
    """
    keys = ["name", "genre", "value"]
    sides = [then.with_columns(side=pl.lit("then")), now.with_columns(side=pl.lit("now"))]
    both = pl.concat(sides, how="diagonal").unique(keys, keep="first", maintain_order=True)
    within = both.with_columns(genre=pl.col("genre") + "\n" + pl.col("side"))
    noise = estimate_noise(within, {})
    if noise.is_known:
        return replace(noise, genres=tuple(genre.split("\n")[0] for genre in noise.genres))
    return next(
        (n for n in (estimate_noise(side, dict(equal)) for side in sides) if n.is_known), noise
    )


def add_variances(
    pairs: Sequence[CheckedSetting],
    spread: set[tuple[str, str]],
    noise: Noise,
    *,
    shared_seeds: bool,
) -> None:
    """Set each setting's variance of one run, moderated over variants and genres.

    Parameters
    ----------
    spread
        The (name, genre) whose runs show a spread (`noise.replicable`).
    noise
        What counts where no setting has replicates.
    shared_seeds
        Whether runs of one seed and different genres may share random numbers: then a variant's
        genres say less about its variance than as many independent samples.
    """
    names = sorted({pair.name for pair in pairs})
    genres = sorted({pair.genre for pair in pairs})
    own, own_df = np.zeros((len(names), len(genres))), np.zeros((len(names), len(genres)))
    for pair in pairs:
        if (pair.name, pair.genre) not in spread:
            continue
        if pair.is_paired:
            d = np.array(list(pair.differences.values()))
            if len(d) > 1 and d.any():  # the same numbers again are one run, not two
                pair.own, pair.own_df = float(d.var(ddof=1)) / 2, len(d) - 1
        else:
            sides = [np.array(list(side.values())) for side in (pair.now, pair.then)]
            pair.own_df = sum(len(side) - 1 for side in sides)
            if pair.own_df:
                ss = sum(float(((side - side.mean()) ** 2).sum()) for side in sides)
                pair.own = ss / pair.own_df
        place = names.index(pair.name), genres.index(pair.genre)
        own[place], own_df[place] = pair.own, pair.own_df
    if own_df.sum() >= MIN_NOISE_DF:
        correlation = _correlation(pairs) if shared_seeds else 0.0
        # Squares of numbers with correlation r correlate by r².
        table = moderate_table(own, own_df, column_correlation=correlation**2)
        for pair in pairs:
            place = names.index(pair.name), genres.index(pair.genre)
            pair.variance, pair.df = table.moderated(*place)
            if min(len(pair.now), len(pair.then)) == 1:
                # One outlier is not averaged out, so runs that happen to agree do not narrow it.
                pair.variance = max(pair.variance, float(table.prior[place]))
    elif noise.is_known:
        for pair in pairs:
            pair.variance, pair.df = noise.variance(pair.genre, pair.name)


def error_by_seed(pairs: Sequence[CheckedSetting]) -> tuple[float, float] | None:
    """The variance of a variant's mean difference, by what seeds do to all its genres together.

    With its degrees of freedom; None where no genre has two runs. Where genres have the same seeds
    it is Student's t on the means per seed.
    """
    weighted = degrees = share = 0.0
    for sample in _samples(pairs):
        share += float(np.mean([1 / len(genre) for genre in sample]))
        spread = [genre for genre in sample if len(genre) > 1]
        error = clustered_error([Sample(1 / len(spread), dict(genre)) for genre in spread])
        if error is not None:
            per_seed = error.variance / float(np.mean([1 / len(genre) for genre in spread]))
            weighted += per_seed * error.df
            degrees += error.df
    return (weighted / degrees * share, degrees) if degrees else None


def _samples(pairs: Sequence[CheckedSetting]) -> list[list[Mapping[SeedKey, float]]]:
    """What varies from seed to seed, genre by genre: the differences of pairs, else both sides."""
    if all(pair.is_paired for pair in pairs):
        return [[pair.differences for pair in pairs]]
    return [[pair.now for pair in pairs], [pair.then for pair in pairs]]


def _correlation(pairs: Sequence[CheckedSetting]) -> float:
    by_variant: dict[str, list[CheckedSetting]] = {}
    for pair in pairs:
        by_variant.setdefault(pair.name, []).append(pair)
    return seed_correlation(sample for own in by_variant.values() for sample in _samples(own))
