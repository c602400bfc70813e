"""How many seeds a comparison needs, from the noise that was measured.

A comparison sees a difference if its test is significant; that happens with the probability that
is called power. Two variants with n seeds each and a run's variance s² in a genre differ by noise
with variance 2s²/n; a mean over genres has the mean of these by the number of genres. Student's t
at the level of the correction (Bonferroni's share for several comparisons) has its power from the
noncentral t distribution. Genres count as independent, as they are with
`random_key = "seed-genre"`, the default of new studies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from postertui.analysis.noise import Noise
from postertui.analysis.statistics import t_quantile
from postertui.analysis.verdicts import ALPHA, MIN_DF

#: No plan asks for more seeds; a difference that small is not worth that many.
MAX_SEEDS = 1000
#: Variances from rounding alone: of runs that all are perfect, or constant.
_NO_NOISE = 1e-16
#: A variant whose variance is this many times the mean of all needs a plan of its own.
_CLEARLY_NOISIER = 1.5

PLAN_SCHEMA = {
    "genre": pl.String,
    "sd": pl.Float64,
    "seeds": pl.Int64,
    "seeds_corrected": pl.Int64,
    "runs": pl.Int64,
    "hours": pl.Float64,
}


@dataclass(frozen=True)
class Question:
    """What is to be seen.

    Parameters
    ----------
    difference
        The smallest mean difference that matters, in the metric's unit.
    power
        The wanted chance to see it.
    comparisons
        Among how many, for which the level is corrected.
    """

    difference: float
    power: float = 0.8
    comparisons: int = 1


def power_of(question: Question, variances: Sequence[float], seeds: int) -> float:
    """The chance that a comparison over genres sees the difference.

    Parameters
    ----------
    variances
        One run's variance in each of the genres that the comparison averages over.
    seeds
        Of each of the two variants, in every genre.
    """
    from scipy.special import nctdtr

    if seeds < 2:
        return 0.0
    genres = len(variances)
    df = float(genres * (seeds - 1))
    error = math.sqrt(2 * float(np.sum(variances)) / seeds) / genres
    if df < MIN_DF:
        return 0.0
    if error == 0:
        return 1.0
    critical = t_quantile(1 - ALPHA / question.comparisons / 2, df)
    return 1 - float(nctdtr(df, question.difference / error, critical))


def seeds_needed(question: Question, variances: Sequence[float]) -> int | None:
    """The fewest seeds with that power; None where `MAX_SEEDS` are not enough."""
    if power_of(question, variances, MAX_SEEDS) < question.power:
        return None
    low, high = 1, MAX_SEEDS  # power grows with seeds: bisect
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle)
            if power_of(question, variances, middle) >= question.power
            else (middle, high)
        )
    return high


def detectable_difference(
    variances: Sequence[float], seeds: int, *, comparisons: int = 1
) -> float | None:
    """The difference that this many seeds detect, with the power that a `Question` asks for.

    Parameters
    ----------
    variances
        One run's variance in each genre.
    seeds
        Runs of each variant and genre.
    comparisons
        How many are made, which the level is divided by.

    Returns
    -------
    float or None
        In units of the metric; None for too few seeds.
    """

    def is_detected(difference: float) -> bool:
        question = Question(difference, comparisons=comparisons)
        return power_of(question, variances, seeds) >= question.power

    low, high = 0.0, 1.0
    if not is_detected(high):
        return None
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if is_detected(middle) else (middle, high)
    return high


def genre_variances(noise: Noise, genres: Sequence[str]) -> dict[str, float]:
    """One run's variance in each genre, the mean over variants.

    Genres where it is unknown, or where all runs agree to the last digits, are left out.
    """
    by_genre = {}
    for genre in genres:
        estimates = [noise.variance(genre, name) for name in noise.names or ("",)]
        variances = [variance for variance, df in estimates if df > 0]
        if variances and max(variances) > _NO_NOISE:
            by_genre[genre] = float(np.mean(variances))
    return by_genre


def _noisiest(
    noise: Noise, by_genre: dict[str, float], reference: str
) -> list[tuple[str, list[float]]]:
    """The noisiest variant's label, and in each genre the mean of its variance and the reference's.

    Empty where no variant's mean variance is `_CLEARLY_NOISIER` times that of all.
    """
    own = {
        name: [noise.variance(genre, name)[0] for genre in by_genre]
        for name in noise.names
        if name != reference and all(noise.variance(genre, name)[1] > 0 for genre in by_genre)
    }
    if not own or reference not in noise.names:
        return []
    name = max(own, key=lambda variant: sum(own[variant]))
    if sum(own[name]) < _CLEARLY_NOISIER * sum(by_genre.values()):
        return []
    of_reference = [noise.variance(genre, reference)[0] for genre in by_genre]
    if any(math.isnan(variance) for variance in of_reference):
        return []
    variances = [(a + b) / 2 for a, b in zip(own[name], of_reference, strict=True)]
    return [(f"(mean, {name})", variances)]


def plan_seeds(
    noise: Noise,
    genres: Sequence[str],
    question: Question,
    *,
    variants: int,
    seconds_per_run: float | None = None,
    reference: str = "base",
) -> pl.DataFrame:
    """Seeds that each genre and the mean over all of them need.

    Parameters
    ----------
    noise
        The noise of a run.
    genres
        Which genres.
    question
        What is to be seen, with which power, in how many comparisons.
    variants
        How many variants are trained.
    seconds_per_run
        For the hours, which are those of one run at a time; None leaves them null.
    reference
        A variant's name.

    Returns
    -------
    polars.DataFrame
        `PLAN_SCHEMA`. `seeds` is for a single comparison, `seeds_corrected` for the question's
        number of them; `runs` and `hours` are those of the latter, for `variants` variants.

    Notes
    -----
    The variance is that of a variant as noisy as the others. Where one is clearly noisier, a row
    more says what its comparison with `reference` needs.
    """
    single = Question(question.difference, question.power)
    by_genre = genre_variances(noise, genres)
    if not by_genre:
        return pl.DataFrame(schema=PLAN_SCHEMA)
    rows = []
    for label, variances in [
        *((genre, [variance]) for genre, variance in by_genre.items()),
        *([("(mean of all)", list(by_genre.values()))] if len(by_genre) > 1 else []),
        *_noisiest(noise, by_genre, reference),
    ]:
        corrected = seeds_needed(question, variances)
        runs = None if corrected is None else corrected * variants * len(variances)
        rows.append(
            {
                "genre": label,
                "sd": math.sqrt(float(np.mean(variances))),
                "seeds": seeds_needed(single, variances),
                "seeds_corrected": corrected,
                "runs": runs,
                "hours": None
                if runs is None or seconds_per_run is None
                else runs * seconds_per_run / 3600,
            }
        )
    return pl.DataFrame(rows, schema=PLAN_SCHEMA)
