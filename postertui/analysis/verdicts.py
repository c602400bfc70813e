"""Intervals, p-values corrected for their number, and the verdicts that follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from postertui.analysis.statistics import (
    benjamini_hochberg,
    holm,
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

#: An error with fewer degrees of freedom gives no verdict.
MIN_DF = 2.0
#: The same where a sample has fewer than `MIN_DF` of its own and borrows the rest.
THIN_MIN_DF = 3.0
#: No error is smaller: scores are read and printed to four digits.
SMALLEST_ERROR = 2e-5

TOO_LITTLE = "too little data"


def interval_and_p(mean: float, se: float, df: float) -> dict[str, float]:
    """The 95 % interval and two-sided p-value of a mean against 0.

    NaN where the error is unknown or has fewer than `MIN_DF` degrees of freedom.

    Parameters
    ----------
    mean
        In the metric's units.
    se
        Its standard error in the same units; NaN where it is unknown.
    df
        The error's degrees of freedom; infinite where it is known.
    """
    if math.isnan(se) or math.isnan(mean) or df < MIN_DF:
        return {"low": math.nan, "high": math.nan, "p": math.nan}
    se = max(se, SMALLEST_ERROR)
    half = t_quantile(1 - ALPHA / 2, df) * se
    return {"low": mean - half, "high": mean + half, "p": t_p_value(t_ratio(mean, se), df)}


def adjust(p_values: list[float], correction: Correction) -> list[float]:
    """The p-values corrected for their number, in the same order; NaN stays NaN."""
    match correction:
        case "holm":
            return holm(p_values)
        case "bh":
            return benjamini_hochberg(p_values)
        case "none":
            return p_values


def add_verdicts(records: Sequence[dict[str, Any]], correction: Correction, sign: float) -> None:
    """Add `p_adjusted` and `verdict` to records, from their `p` and `difference`.

    `sign` is -1 for a metric of which less is better.
    """
    adjusted = adjust([record["p"] for record in records], correction)
    for record, p_adjusted in zip(records, adjusted, strict=True):
        record["p_adjusted"] = p_adjusted
        record["verdict"] = _verdict(p_adjusted, record["difference"] * sign)


def _verdict(p_adjusted: float, gain: float) -> str:
    if math.isnan(p_adjusted):
        return TOO_LITTLE
    if p_adjusted < ALPHA and gain != 0:
        return "better" if gain > 0 else "worse"
    return "undecided"
