"""The few formulas of statistics that the analyses share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from postertui.analysis import student_t
from postertui.analysis.student_t import Floats, digamma, tetragamma, trigamma

__all__ = ["Floats"]

#: Sign flips are enumerated up to this many differences and drawn at random beyond it.
_EXACT_FLIPS = 14
_RANDOM_FLIPS = 20_000

#: The fewest samples of one degree of freedom each for which Student's t holds.
_ENOUGH_THIN = 6


def t_quantile(probability: float, df: float) -> float:
    """The quantile of Student's t; of the normal where `df` is infinite."""
    if math.isinf(df):
        return student_t.normal_quantile(probability)
    return student_t.quantile(probability, df)


def t_p_value(t: float, df: float) -> float:
    """The two-sided p-value of `t` under Student's t; under the normal where `df` is infinite."""
    if math.isnan(t):
        return math.nan
    return 2 * (student_t.normal_tail(abs(t)) if math.isinf(df) else student_t.tail(abs(t), df))


def t_ratio(mean: float, se: float) -> float:
    """mean/se, where no spread at all makes any difference certain and no difference none."""
    if se > 0:
        return mean / se
    return 0.0 if mean == 0 else math.copysign(math.inf, mean)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of Holm's step-down procedure, in the order given; NaN stays NaN.

    They control the chance of one false claim among all, under any dependence (S. Holm, "A simple
    sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979).
    """
    defined = [i for i, p in enumerate(p_values) if not math.isnan(p)]
    adjusted = [math.nan] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(sorted(defined, key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(defined) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the share of false claims among those made; NaN stays NaN.

    Y. Benjamini and Y. Hochberg, J. R. Statist. Soc. B 57, 1995.
    """
    defined = [i for i, p in enumerate(p_values) if not math.isnan(p)]
    adjusted = [math.nan] * len(p_values)
    lowest = 1.0
    ordered = sorted(defined, key=lambda i: p_values[i])
    for rank in range(len(ordered), 0, -1):
        i = ordered[rank - 1]
        lowest = min(lowest, p_values[i] * len(ordered) / rank)
        adjusted[i] = lowest
    return adjusted


def sign_flip_p_value(differences: Sequence[float]) -> float:
    """The two-sided p-value of a mean difference, from flipping the differences' signs.

    Exact up to 14 differences, 20,000 random flips beyond. It assumes symmetry and nothing about
    the shape (R. A. Fisher, "The Design of Experiments", 1935, §21).
    """
    d = np.asarray(differences, dtype=float)
    if d.size <= _EXACT_FLIPS:
        bits = np.arange(2**d.size)[:, None] >> np.arange(d.size) & 1
        sums = np.abs((1.0 - 2.0 * bits) @ d)
        return float(np.mean(sums >= abs(d.sum()) * (1 - 1e-12)))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_RANDOM_FLIPS, d.size))
    hits = int(np.sum(np.abs(signs @ d) >= abs(d.sum()) * (1 - 1e-12)))
    return (hits + 1) / (_RANDOM_FLIPS + 1)


def residual_prior_df(ratios: Floats, dfs: Floats, parameters: int) -> float:
    """How many degrees of freedom a fitted prior is worth, from how samples scatter around it.

    Parameters
    ----------
    ratios
        Sample variances divided by the fitted ones, all positive.
    dfs
        Their degrees of freedom.
    parameters
        How many parameters were fitted.

    Returns
    -------
    float
        Infinite where the scatter is what the samples' own sizes account for; 0 where there are
        no more samples than parameters.

    Notes
    -----
    Smyth 2004, section 6.2, with the residual degrees of freedom of a fit in place of n - 1.
    """
    residual_df = ratios.size - parameters
    if residual_df <= 0:
        return 0.0
    e = np.log(ratios) - digamma(dfs / 2) + np.log(dfs / 2)
    # The fit is of means, the scatter of logarithms: only its level is left to be removed.
    spread = float(((e - e.mean()) ** 2).sum()) / residual_df - float(trigamma(dfs / 2).mean())
    return 2 * _inverse_trigamma(spread) if spread > 0 else math.inf


def welch_df(terms: Floats, dfs: Floats) -> float:
    """Degrees of freedom of a sum of independent estimated variances; 0 where they are too few.

    Between the formula of F. E. Satterthwaite (Biometrics 2, 1946), which is conservative since
    squares of estimates are too large, and the one of B. L. Welch (Biometrika 34, 1947), which
    allows for that in full and errs to the other side where variances differ.
    """
    used = (terms > 0) & (dfs > 0)
    terms, dfs = terms[used], dfs[used]
    if not terms.size or (terms.size > 1 and 0 < (dfs < 2).sum() < _ENOUGH_THIN):
        return 0.0
    # The squares of tiny variances would be 0; only their ratios count.
    terms = terms / terms.max()
    df = float(terms.sum() ** 2 / (terms**2 / (dfs + 1)).sum()) - 1
    return float(min(max(df, dfs.min()), dfs.sum()))


def satterthwaite_df(terms: Sequence[tuple[float, float]]) -> float:
    """The same by Satterthwaite's formula, for few terms and their dfs; their sizes say little."""
    used = [(term, df) for term, df in terms if term > 0 and df > 0]
    if not used:
        return 0.0
    largest = max(term for term, _ in used)
    ratios = [(term / largest, df) for term, df in used]
    total = sum(ratio for ratio, _ in ratios)
    scatter = sum(ratio * ratio / df for ratio, df in ratios)
    return total**2 / scatter if scatter > 0 else math.inf


def sum_of_variances(
    own: Sequence[tuple[float, float]], moderated: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """The sum of independent variances and its degrees of freedom, 0 where they are too few.

    Parameters
    ----------
    own, moderated
        Each term from its own sample, and moderated by the others; with degrees of freedom. A few
        own samples of one degree would spoil the sum: there the moderated ones count.
    """
    terms, dfs = np.array(own, dtype=float).T
    thin = dfs < 2
    if 0 < thin.sum() < _ENOUGH_THIN and not thin.all():
        terms[thin], dfs[thin] = np.array(moderated, dtype=float)[thin].T
    return float(terms.sum()), welch_df(terms, dfs)


def squeeze_variances(variances: Floats, dfs: Floats) -> tuple[float, float]:
    """The variance that small samples are drawn towards, and how many degrees of freedom it has.

    `variances` and `dfs` are vectors with one entry per sample, `dfs` positive. Empirical Bayes
    after G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential
    expression", Stat. Appl. Genet. Mol. Biol. 3, 2004, section 6.2: log variances minus what
    their own degrees of freedom account for. The degrees are infinite where the samples agree
    within that, and 0 where fewer than two samples have a variance.
    """
    pooled = float((variances * dfs).sum() / dfs.sum())
    if variances.size < 2 or pooled == 0:
        return pooled, 0.0
    positive = variances[variances > 0]
    z = np.log(np.maximum(variances, 1e-5 * median(positive.tolist())))
    e = z - digamma(dfs / 2) + np.log(dfs / 2)
    spread = float(e.var(ddof=1) - trigamma(dfs / 2).mean())
    if spread <= 0:
        return pooled, math.inf
    prior_df = 2 * _inverse_trigamma(spread)
    prior = math.exp(float(e.mean()) + float(digamma(prior_df / 2)) - math.log(prior_df / 2))
    return prior, prior_df


def _inverse_trigamma(y: float) -> float:
    """x with trigamma(x) = y > 0, by Newton's method on 1/trigamma (Smyth 2004, appendix)."""
    x = 0.5 + 1 / y
    for _ in range(50):
        value = float(trigamma(x))
        step = value * (1 - value / y) / float(tetragamma(x))
        x += step
        if -step / x < 1e-10:
            break
    return x
