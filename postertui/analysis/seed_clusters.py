"""The error of means over genres where a seed moves all genres of a run together.

Each seed is a cluster. What it adds to a mean over genres, in all genres and on both sides of a
comparison, is one independent number, and the spread of these numbers is the error. Where every
genre has the same seeds that is Student's t on the means per seed; where a run is dead or short,
what is left counts: R. M. Bell and D. F. McCaffrey, "Bias reduction in standard errors for linear
regression with multi-stage samples", Survey Methodology 28, 2002.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from postertui.analysis.contrasts import RowContrast, SeedKey, SettingRuns
from postertui.analysis.noise import Noise
from postertui.analysis.statistics import Floats


@dataclass(frozen=True)
class ClusteredError:
    """The variance of a weighted sum of means, clustered by seed.

    Attributes
    ----------
    variance, df
        The variance and its degrees of freedom.
    ratio
        By how much it exceeds the variance that independent genres would have.
    """

    variance: float
    df: float
    ratio: float


@dataclass(frozen=True)
class Sample:
    """Runs by seed whose mean enters a sum with `weight`; two runs or more."""

    weight: float
    runs: dict[SeedKey, float]


def clustered_error(samples: Sequence[Sample]) -> ClusteredError | None:
    """The error of the weighted sum of the samples' means; None without any spread.

    Notes
    -----
    A run's deviation from its sample's mean is scaled up by sqrt(n/(n - 1)), which makes the
    variance exact where seeds match. The degrees of freedom are those of Satterthwaite if runs
    were independent with one variance a side; three seeds have the two of Student's t, although
    one of them lacks a run.
    """
    keys = sorted({key for sample in samples for key in sample.runs})
    place = {key: i for i, key in enumerate(keys)}
    by_seed = np.zeros(len(keys))
    shape: Floats = np.zeros((len(keys), len(keys)))
    variances: dict[bool, list[float]] = {}
    for sample in samples:
        values = np.array(list(sample.runs.values()))
        variances.setdefault(sample.weight > 0, []).append(float(values.var(ddof=1)))
    side_variance = {side: sum(own) / len(own) for side, own in variances.items()}
    independent = 0.0
    for sample in samples:
        rows = [place[key] for key in sample.runs]
        values = np.array(list(sample.runs.values()))
        n = len(rows)
        scale = sample.weight / math.sqrt(n * (n - 1))
        by_seed[rows] += scale * (values - values.mean())
        variance = scale**2 * side_variance[sample.weight > 0]
        shape[np.ix_(rows, rows)] += variance * (np.eye(n) - 1 / n)
        independent += sample.weight**2 * float(values.var(ddof=1)) / n
    total = float((shape**2).sum())
    if independent == 0 or total == 0:
        return None
    variance = float((by_seed**2).sum())
    df = float(np.trace(shape)) ** 2 / total
    if len(keys) > 2:
        df = max(df, 2.0)
    return ClusteredError(variance, df, variance / independent)


def shared_seed_error(
    row: RowContrast, runs: SettingRuns, noise: Noise
) -> tuple[float, float] | None:
    """The variance of a row's mean difference where genres may share what a seed does, and its df.

    A setting with a single run has the variance that its variant and genre suggest, times what
    seeds add to independent genres elsewhere in the row. None where no setting has two runs.
    """
    share = 1 / len(row.cells)
    samples: list[Sample] = []
    single = {True: 0.0, False: 0.0}
    for cell in row.cells:
        if cell.differences is not None and cell.pairs > 1:
            samples.append(Sample(share, dict(cell.differences)))
            continue
        for weight, name in ((share, row.name), (-share, row.reference)):
            own = runs[name, cell.genre]
            if len(own) > 1:
                samples.append(Sample(weight, dict(own)))
            else:
                single[weight > 0] += share**2 * noise.variance(cell.genre, name)[0]
    error = clustered_error(samples)
    if error is None:
        return None
    variance = error.variance
    for side, extra in single.items():
        extra *= max(error.ratio, 1.0)
        if any((sample.weight > 0) == side for sample in samples):
            # A single run shares its seed with other genres' runs of its side.
            variance = (math.sqrt(variance) + math.sqrt(extra)) ** 2
        else:
            variance += extra
    return variance, error.df
