"""Variances of many small samples in a table of variants by genres, each informed by the others.

A run's spread differs between genres by a factor of ten, between variants by three, and neither
factor explains the rest. Few runs measure each setting, so a setting's own variance is moderated:
drawn towards what its variant and its genre suggest, as strongly as the table shows that these
two explain variances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from postertui.analysis.statistics import Floats, residual_prior_df, squeeze_variances

#: A variance of zero counts as this share of the median, since its logarithm is needed.
_SMALLEST = 1e-5
#: Factors are fitted until they move by no more than this share of themselves.
_SETTLED = 1e-9
_ITERATIONS = 100
#: The share of a prior's degrees of freedom that counts where no scatter around it was seen.
_TRUSTED = 0.6


@dataclass(frozen=True)
class VarianceTable:
    """Sample variances by variant (rows) and genre (columns), and what they suggest together.

    Attributes
    ----------
    own, own_df
        The sample variances and their degrees of freedom; 0 degrees where there is no sample.
    prior, prior_df
        What variant and genre suggest for each setting, and how many degrees of freedom that
        is worth beside the setting's own.
    """

    own: Floats
    own_df: Floats
    prior: Floats
    prior_df: Floats

    def moderated(self, row: int, column: int) -> tuple[float, float]:
        """A setting's variance drawn towards its prior, and the degrees of freedom of the result.

        Smyth's posterior (Stat. Appl. Genet. Mol. Biol. 3, 2004, section 4).
        """
        df, prior_df = self.own_df[row, column], self.prior_df[row, column]
        total = df + prior_df
        if total == 0:
            return math.nan, 0.0
        own = self.own[row, column] if df else 0.0
        return float((df * own + prior_df * self.prior[row, column]) / total), float(total)


def moderate_table(
    own: Floats, own_df: Floats, row_correlation: float = 0.0, column_correlation: float = 0.0
) -> VarianceTable:
    """Fit `variance = row factor · column factor` and how far settings scatter around it.

    Parameters
    ----------
    own, own_df
        Sample variances and degrees of freedom, both of shape (rows, columns).
    row_correlation
        The correlation of squares between samples of one column, such as 1/4 where all rows are
        differences from one reference: they say less about the column than as many independent
        samples.
    column_correlation
        The same between samples of one row, such as of genres that share what a seed does.

    Notes
    -----
    The factors are those of a gamma model with logarithmic link and weights df/2, which settles by
    proportional fitting. The scatter gives the prior's degrees of freedom (`residual_prior_df`);
    the prior is never worth more than its two factors are known.
    """
    used = own_df > 0
    if not used.any():
        return VarianceTable(own, own_df, np.full_like(own, math.nan), np.zeros_like(own_df))
    positive = own[used & (own > 0)]
    floor = _SMALLEST * float(np.median(positive)) if positive.size else 1e-300
    sample = np.where(used, np.maximum(own, floor), 0.0)
    if used.any(axis=1).sum() == 1:
        return _moderate_row(own, own_df, sample, column_correlation)
    rows, columns = _factors(sample, np.where(used, own_df, 0.0))
    prior = np.outer(rows, columns)
    row_df, column_df = own_df.sum(axis=1), own_df.sum(axis=0)
    if row_correlation:
        samples = np.maximum(used.sum(axis=0), 1)
        column_df = column_df / (1 + (samples - 1) * row_correlation)
    if column_correlation:
        samples = np.maximum(used.sum(axis=1), 1)
        row_df = row_df / (1 + (samples - 1) * column_correlation)
    total_df = own_df.sum()
    factor_df = _factor_df(row_df[:, None], column_df[None, :], total_df)
    parameters = int((row_df > 0).sum() + (column_df > 0).sum()) - 1
    residual = residual_prior_df(sample[used] / prior[used], own_df[used], parameters)
    # A scatter of few settings is itself uncertain: the prior is worth no more than they are.
    settings = float(used.sum()) - parameters
    factor_df = np.minimum(factor_df, max(settings, 0.0) + own_df)
    if math.isinf(residual):
        # The two factors explain it all, and the setting's own sample is part of their fit.
        # That it does is itself an estimate, which costs a part of it.
        prior_df = _TRUSTED * np.maximum(factor_df - own_df, 0.0)
    else:
        prior_df = 1 / (1 / max(residual, 1e-9) + 1 / np.maximum(factor_df, 1e-9))
    return VarianceTable(own, own_df, prior, prior_df)


def _moderate_row(
    own: Floats, own_df: Floats, sample: Floats, column_correlation: float
) -> VarianceTable:
    """The same where one row alone has samples: a common prior for its columns."""
    used = own_df > 0
    prior, prior_df = squeeze_variances(sample[used], own_df[used])
    row_df = own_df.sum() / (1 + (used.sum() - 1) * column_correlation)
    factor_df = np.minimum(row_df, used.sum() - 1 + own_df)
    degrees = np.minimum(
        _TRUSTED * np.maximum(factor_df - own_df, 0.0),
        1 / (1 / max(prior_df, 1e-9) + 1 / np.maximum(factor_df, 1e-9)),
    )
    return VarianceTable(own, own_df, np.full_like(own, prior), degrees)


def _factors(sample: Floats, df: Floats) -> tuple[Floats, Floats]:
    """Row and column factors; one without any sample counts as noisy as the noisiest."""
    rows, columns = np.ones(df.shape[0]), np.ones(df.shape[1])
    row_df, column_df = df.sum(axis=1), df.sum(axis=0)
    weighted = df * sample
    for _ in range(_ITERATIONS):
        before = rows
        columns = (weighted / rows[:, None]).sum(axis=0) / np.where(column_df, column_df, 1)
        columns = np.where(column_df, columns, columns[column_df > 0].max())
        rows = (weighted / columns[None, :]).sum(axis=1) / np.where(row_df, row_df, 1)
        rows = np.where(row_df, rows, rows[row_df > 0].max())
        if (np.abs(rows - before) <= _SETTLED * np.abs(before)).all():
            break
    return rows, columns


def _factor_df(row_df: Floats, column_df: Floats, total: float) -> Floats:
    """Degrees of freedom of a product of factors: relative variances add, less what both share."""
    with np.errstate(divide="ignore"):
        relative = 1 / row_df + 1 / column_df - 1 / total
    return np.asarray(1 / np.maximum(relative, 1e-12))
