"""Whether a variant got worse than in a reference table: the check of continuous integration.

It fails closed: what the reference had and the table lacks is a failure with a name, unless it is
allowed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import polars as pl

from postertui.analysis.check_errors import (
    CheckedSetting,
    add_variances,
    error_by_seed,
    noise_of_both,
)
from postertui.analysis.check_rows import AGAINST_SCHEMA, ALL, add_lost, blank_row
from postertui.analysis.contrasts import runs_by_setting
from postertui.analysis.noise import (
    Noise,
    find_equal_variants,
    replicable,
)
from postertui.analysis.statistics import holm, sum_of_variances, t_p_value, t_quantile, t_ratio
from postertui.analysis.values import (
    check_metric,
    genres_share_seeds,
    lower_is_better,
    repetition_notes,
    resolve_rule,
    run_values,
)
from postertui.analysis.verdicts import ALPHA, MIN_DF, SMALLEST_ERROR
from postertui.system.errors import UserError


@dataclass(frozen=True)
class CheckReport:
    """`rows` (`AGAINST_SCHEMA`), failures first, and sentences that belong under them."""

    rows: pl.DataFrame
    notes: tuple[str, ...]

    @property
    def failed(self) -> bool:
        return bool(self.rows["failed"].any())


@dataclass(frozen=True)
class Allowed:
    """What may be missing or fail: everything missing, or settings by glob.

    A pattern is `VARIANT` or `VARIANT/GENRE`, compared without regard to case.
    """

    missing: bool = False
    patterns: tuple[str, ...] = ()

    def covers(self, name: str, genre: str) -> bool:
        setting = (name.casefold(), f"{name}/{genre}".casefold())
        return any(fnmatchcase(s, p.casefold()) for p in self.patterns for s in setting)


def check_against(
    table: pl.DataFrame,
    baseline: pl.DataFrame,
    *,
    metric: str,
    margin: float | None = None,
    rule: str | int = "last",
    allowed: Allowed | None = None,
    settings: Collection[tuple[str, str]] | None = None,
) -> CheckReport:
    """Whether a variant of `table` is worse than the same variant of `baseline`.

    Variants meet by name and genre, as means over their seeds; one more row per variant is the
    mean over its genres.

    Parameters
    ----------
    margin
        None: a row fails where it is worse beyond noise (one-sided t at 5 %, corrected by Holm
        over all rows). A number: where it is worse by more than that; the noise is only shown.
    rule
        Which epoch counts (`values.RULES`); `last` is the reference's, for both tables.
    allowed
        What is no failure although it is missing, short, undefined, dead or worse.
    settings
        The (name, genre) to check, by default all; the noise is the whole tables'.

    Raises
    ------
    UserError
        Exit code 3 where the tables share no variant and genre; 2 where `margin` is None and no
        setting has replicates in either table.
    """
    allowed = allowed or Allowed()
    check_metric(baseline, metric)
    epoch = resolve_rule(baseline, rule)
    then, now = run_values(baseline, metric, epoch), run_values(table, metric, epoch)
    sign = -1.0 if lower_is_better(metric) else 1.0
    keys = ["name", "genre"]
    if now.join(then, on=keys, how="semi").is_empty():
        raise UserError("the two tables share no variant and genre", exit_code=3)
    noise = noise_of_both(now, then, find_equal_variants(baseline))
    shared = genres_share_seeds(baseline) or genres_share_seeds(table)
    chosen = None if settings is None else set(settings)
    rows, settings_paired = _assessed_rows(now, then, noise, shared_seeds=shared, chosen=chosen)
    if chosen is not None:
        now, then = (v.filter(_is_setting(chosen)) for v in (now, then))
    has_error = any(row["_df"] for row in rows)
    if margin is None and rows and not has_error and any(row["difference"] for row in rows):
        raise UserError(
            "no noise to compare with: no setting has enough runs that differ in either table; "
            "train more seeds or give a number, e.g. --margin 0.02"
        )
    _add_verdicts(rows, margin, sign)
    rows = add_lost(rows, now, then)
    for row in rows:
        genre = "*" if row["genre"] == ALL else row["genre"]
        is_missing = row["why"].startswith("missing")
        covered = allowed.covers(row["name"], genre) or (allowed.missing and is_missing)
        row["allowed"] = row["failed"] and covered
        row["failed"] = row["failed"] and not covered
    frame = pl.DataFrame(
        [{k: row[k] for k in AGAINST_SCHEMA} for row in rows], schema=AGAINST_SCHEMA
    ).sort(
        pl.col("failed"),
        pl.col("allowed"),
        pl.col("difference") * sign,
        "name",
        "genre",
        descending=[True, True, False, False, False],
        nulls_last=True,
    )
    repeats = [
        f"{which}: {note}"
        for which, own in (("Now", table), ("Reference", baseline))
        for note in repetition_notes(own)
    ]
    notes = _notes(frame, metric, margin, noise, settings_paired, now, then)
    return CheckReport(frame, (notes[0], *repeats, *notes[1:]))


def check_values(
    now: pl.DataFrame,
    then: pl.DataFrame,
    equal: Mapping[str, str],
    *,
    sign: float = 1.0,
    shared_seeds: bool = True,
) -> pl.DataFrame | None:
    """`check_against` on one number per run (`run_values`), for settings in both tables.

    None where the noise is unknown. For simulations; it knows no allowed or missing settings.
    """
    noise = noise_of_both(now, then, equal)
    rows, _ = _assessed_rows(now, then, noise, shared_seeds=shared_seeds)
    if not any(row["_df"] for row in rows):
        return None
    _add_verdicts(rows, None, sign)
    return pl.DataFrame(
        [{k: row[k] for k in AGAINST_SCHEMA} for row in rows], schema=AGAINST_SCHEMA
    )


def _assessed_rows(
    now: pl.DataFrame,
    then: pl.DataFrame,
    noise: Noise,
    *,
    shared_seeds: bool,
    chosen: Collection[tuple[str, str]] | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """A row per setting in both tables and one per variant; and how many settings are paired."""
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
        "baseline": float(np.mean(list(pair.then.values()))),
        "now": float(np.mean(list(pair.now.values()))),
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
        "baseline": float(np.mean([cell["baseline"] for cell in cells])),
        "now": float(np.mean([cell["now"] for cell in cells])),
        "difference": float(np.mean([pair.difference for pair in pairs])),
        "paired": all(pair.is_paired for pair in pairs),
        "_variance": variance,
        "_df": df,
    }


def _add_verdicts(rows: Sequence[dict[str, Any]], margin: float | None, sign: float) -> None:
    """Interval, p-value, verdict and reason of each row."""
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
    for row, p in zip(rows, holm(p_values), strict=True):
        row["p_adjusted"] = None if math.isnan(p) else p
        loss = -sign * row["difference"]
        if margin is not None and loss > margin:
            row |= {"failed": True, "why": f"worse by {loss:.4f}, more than {margin:g}"}
        elif margin is None and p < ALPHA:
            row |= {"failed": True, "why": f"worse by {loss:.4f}, beyond noise"}


def _is_setting(chosen: Collection[tuple[str, str]]) -> pl.Expr:
    frame = pl.DataFrame(sorted(chosen), schema=["name", "genre"], orient="row")
    return pl.struct("name", "genre").is_in(frame.to_struct().implode())


def _notes(
    frame: pl.DataFrame,
    metric: str,
    margin: float | None,
    noise: Noise,
    paired: int,
    now: pl.DataFrame,
    then: pl.DataFrame,
) -> tuple[str, ...]:
    settings = frame.filter((pl.col("genre") != ALL) & pl.col("now").is_not_null()).height
    notes = [f"{metric}, {settings} settings in both tables.", noise.line]
    if paired:
        notes.append(f"In {paired} settings the seeds match, and runs are compared in pairs.")
    if margin is None:
        notes.append("Fails where worse beyond noise: one-sided t, 5 %, Holm over all rows.")
        unknown = frame.filter(pl.col("now").is_not_null() & pl.col("p").is_null()).height
        if unknown:
            notes.append(f"{unknown} rows have too few runs for a verdict: train more seeds.")
    else:
        notes.append(f"Fails where worse by more than {margin:g}.")
    notes.append("Fails where a setting is missing, or more of its runs are without a value.")
    keys = ["name", "genre"]
    added = now.select(keys).unique().join(then.select(keys).unique(), on=keys, how="anti")
    if added.height:
        notes.append(f"Not in the reference, so not checked: {_listed(added)}.")
    if frame["allowed"].any():
        named = frame.filter("allowed").select(keys)
        notes.append(f"Allowed although it failed: {_listed(named)}.")
    return tuple(notes)


def _listed(settings: pl.DataFrame) -> str:
    names = ", ".join(f"{n}/{g}" for n, g in settings.sort("name", "genre").head(5).iter_rows())
    return names + (f" and {settings.height - 5} more" if settings.height > 5 else "")
