"""The rows of a check: by how much a setting or a mean is worse, and whether beyond noise."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from statistics import fmean
from typing import Any

import polars as pl

from postertui.analysis.check_errors import (
    CheckedSetting,
    add_variances,
    error_by_seed,
)
from postertui.analysis.check_rows import ALL, blank_row
from postertui.analysis.contrasts import runs_by_setting
from postertui.analysis.noise import Noise, replicable
from postertui.analysis.statistics import holm, sum_of_variances, t_p_value, t_quantile, t_ratio
from postertui.analysis.verdicts import ALPHA, MIN_DF, SMALLEST_ERROR


def assess_rows(
    now: pl.DataFrame,
    then: pl.DataFrame,
    noise: Noise,
    *,
    shared_seeds: bool,
    chosen: Collection[tuple[str, str]] | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """A row per setting in both tables and one per variant; and how many settings are paired.

    Parameters
    ----------
    now, then
        One number per run (`run_values`) of the table and of its reference.
    noise
        Of both tables together.
    shared_seeds
        Whether runs of one seed and different genres may share random numbers.
    chosen
        The settings (name, genre) to have rows of; None for all. Variances are estimated from all.
    """
    runs_now, runs_then = runs_by_setting(now), runs_by_setting(then)
    spread = set(
        pl.concat([replicable(v).select("name", "genre") for v in (now, then)]).unique().iter_rows()
    )
    pairs = [
        CheckedSetting(name, genre, runs_now[name, genre], runs_then[name, genre])
        for name, genre in sorted(runs_now.keys() & runs_then.keys())
    ]
    add_variances(pairs, spread, noise, shared_seeds=shared_seeds)
    if chosen is not None:
        pairs = [pair for pair in pairs if (pair.name, pair.genre) in chosen]
    rows = [_setting_row(pair) for pair in pairs]
    for name in dict.fromkeys(pair.name for pair in pairs):
        own = [pair for pair in pairs if pair.name == name]
        if len(own) > 1:
            rows.append(_variant_row(own, shared_seeds=shared_seeds))
    return rows, sum(pair.is_paired and len(pair.now) > 1 for pair in pairs)


def _setting_row(pair: CheckedSetting) -> dict[str, Any]:
    return blank_row(pair.name, pair.genre) | {
        "runs": len(pair.now),
        "baseline": fmean(pair.then.values()),
        "now": fmean(pair.now.values()),
        "difference": pair.difference,
        "paired": pair.is_paired,
        "_variance": pair.variance * pair.factor,
        "_df": pair.df,
    }


def _variant_row(pairs: Sequence[CheckedSetting], *, shared_seeds: bool) -> dict[str, Any]:
    """The mean over a variant's genres, with the error of its own settings."""
    moderated = [(pair.variance * pair.factor, pair.df) for pair in pairs]
    own = [
        (pair.own * pair.factor, pair.own_df) if pair.own_df else term
        for pair, term in zip(pairs, moderated, strict=True)
    ]
    variance, df = math.nan, 0.0
    if all(own_df > 0 for _, own_df in own):
        variance, df = sum_of_variances(own, moderated)
        variance /= len(pairs) ** 2
        by_seed = error_by_seed(pairs) if shared_seeds else None
        if by_seed is not None:
            variance, df = by_seed
    cells = [_setting_row(pair) for pair in pairs]
    return blank_row(pairs[0].name, ALL) | {
        "runs": sum(len(pair.now) for pair in pairs),
        "baseline": fmean(cell["baseline"] for cell in cells),
        "now": fmean(cell["now"] for cell in cells),
        "difference": fmean(cell["difference"] for cell in cells),
        "paired": all(pair.is_paired for pair in pairs),
        "_variance": variance,
        "_df": df,
    }


def add_verdicts(rows: Sequence[dict[str, Any]], margin: float | None, sign: float) -> None:
    """Interval, p-value, verdict and reason of each row.

    Parameters
    ----------
    rows
        As `assess_rows` makes them; they are changed in place.
    margin
        How much worse a row may be before it fails, in the metric's units; None where it fails
        beyond noise.
    sign
        1 where higher values are better, -1 where lower ones are.
    """
    p_values = []
    for row in rows:
        p = math.nan
        if row["_df"] >= MIN_DF and not math.isnan(row["_variance"]):
            se = max(math.sqrt(row["_variance"]), SMALLEST_ERROR)
            half = t_quantile(1 - ALPHA / 2, row["_df"]) * se
            row |= {"low": row["difference"] - half, "high": row["difference"] + half}
            two_sided = t_p_value(t_ratio(row["difference"], se), row["_df"])
            p = two_sided / 2 if sign * row["difference"] < 0 else 1 - two_sided / 2
            row["p"] = p
        p_values.append(p)
    for row, p in zip(rows, _adjusted(rows, p_values), strict=True):
        row["p_adjusted"] = None if math.isnan(p) else p
        loss = -sign * row["difference"]
        if margin is not None and loss > margin:
            row |= {"failed": True, "why": f"worse by {loss:.4f}, more than {margin:g}"}
        elif margin is None and p < ALPHA:
            row |= {"failed": True, "why": f"worse by {loss:.4f}, beyond noise"}


def _adjusted(rows: Sequence[dict[str, Any]], p_values: Sequence[float]) -> list[float]:
    """The p-values corrected by Holm, half of the level for variants' means, half for settings.

    A loss in all genres shows in a variant's mean, and there are few of those: corrected together
    with all settings it would have to be several times larger to be seen.
    """
    families = [
        [i for i, row in enumerate(rows) if (row["genre"] == ALL) == of_means]
        for of_means in (True, False)
    ]
    families = [family for family in families if any(not math.isnan(p_values[i]) for i in family)]
    adjusted = [math.nan] * len(rows)
    for family in families:
        for i, p in zip(family, holm([p_values[i] for i in family]), strict=True):
            adjusted[i] = p if math.isnan(p) else min(1.0, len(families) * p)
    return adjusted
