"""Whether a variant got worse than in a reference table: the check of continuous integration.

It fails closed: what the reference had and the table lacks is a failure with a name, unless it is
allowed. The null hypothesis is that both tables are of one and the same training, so the runs of a
setting have one variance on both sides. Where the seeds of both sides match, their runs are pairs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import polars as pl

from postertui.analysis.contrasts import SeedKey, runs_by_setting
from postertui.analysis.noise import (
    MIN_NOISE_DF,
    Noise,
    estimate_noise,
    find_equal_variants,
    replicable,
)
from postertui.analysis.statistics import holm, t_p_value, t_quantile, t_ratio, welch_df
from postertui.analysis.values import (
    check_metric,
    genres_share_seeds,
    lower_is_better,
    repetition_notes,
    resolve_rule,
    run_values,
)
from postertui.analysis.variances import moderate_table
from postertui.analysis.verdicts import ALPHA, MIN_DF, SMALLEST_ERROR
from postertui.system.errors import UserError

AGAINST_SCHEMA = {
    "name": pl.String,
    "genre": pl.String,
    "runs": pl.Int64,
    "baseline": pl.Float64,
    "now": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "p_adjusted": pl.Float64,
    "paired": pl.Boolean,
    "failed": pl.Boolean,
    "allowed": pl.Boolean,
    "why": pl.String,
}

#: The genre of a row that stands for all of a variant's genres.
ALL = "(all)"
#: Runs in these states have no value; a setting may not have more of them than before.
_LOST_STATES = {"dead": "died", "undefined": "have no defined value", "short": "ended early"}


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


@dataclass
class _Pair:
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
        return float(np.mean(list(self.now.values())) - np.mean(list(self.then.values())))

    @property
    def factor(self) -> float:
        """The variance of `difference` in units of one run's."""
        return 1 / len(self.now) + 1 / len(self.then)


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
    noise = _noise_of_both(now, then, find_equal_variants(baseline))
    shared = genres_share_seeds(baseline) or genres_share_seeds(table)
    chosen = None if settings is None else set(settings)
    rows, settings_paired = _assessed_rows(now, then, noise, shared_seeds=shared, chosen=chosen)
    if chosen is not None:
        now, then = (v.filter(_is_setting(chosen)) for v in (now, then))
    has_error = any(row["_df"] for row in rows)
    if margin is None and rows and not has_error and any(row["difference"] for row in rows):
        raise UserError(
            "no noise to compare with: no setting was trained twice in either table; "
            "train more seeds or give a number, e.g. --margin 0.02"
        )
    _add_verdicts(rows, margin, sign)
    rows = _add_lost(rows, now, then)
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
    noise = _noise_of_both(now, then, equal)
    rows, _ = _assessed_rows(now, then, noise, shared_seeds=shared_seeds)
    if not any(row["_df"] for row in rows):
        return None
    _add_verdicts(rows, None, sign)
    return pl.DataFrame(
        [{k: row[k] for k in AGAINST_SCHEMA} for row in rows], schema=AGAINST_SCHEMA
    )


def _noise_of_both(now: pl.DataFrame, then: pl.DataFrame, equal: Mapping[str, str]) -> Noise:
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
        return noise
    return next(
        (n for n in (estimate_noise(side, dict(equal)) for side in sides) if n.is_known), noise
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
        _Pair(name, genre, runs_now[name, genre], runs_then[name, genre])
        for name, genre in sorted(runs_now.keys() & runs_then.keys())
    ]
    _add_variances(pairs, spread, noise)
    if chosen is not None:
        pairs = [pair for pair in pairs if (pair.name, pair.genre) in chosen]
    rows = [_setting_row(pair) for pair in pairs]
    for name in dict.fromkeys(pair.name for pair in pairs):
        own = [pair for pair in pairs if pair.name == name]
        if len(own) > 1:
            rows.append(_variant_row(own, shared_seeds=shared_seeds))
    return rows, sum(pair.is_paired and len(pair.now) > 1 for pair in pairs)


def _add_variances(pairs: Sequence[_Pair], spread: set[tuple[str, str]], noise: Noise) -> None:
    """Each setting's variance of one run, moderated over variants and genres."""
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
        table = moderate_table(own, own_df)
        for pair in pairs:
            place = names.index(pair.name), genres.index(pair.genre)
            pair.variance, pair.df = table.moderated(*place)
            if min(len(pair.now), len(pair.then)) == 1:
                # One outlier is not averaged out, so runs that happen to agree do not narrow it.
                pair.variance = max(pair.variance, float(table.prior[place]))
    elif noise.is_known:
        for pair in pairs:
            pair.variance, pair.df = noise.variance(pair.genre, pair.name)


def _blank_row(name: str, genre: str) -> dict[str, Any]:
    return dict.fromkeys(AGAINST_SCHEMA) | {
        "name": name,
        "genre": genre,
        "failed": False,
        "allowed": False,
        "why": "",
        "_variance": math.nan,
        "_df": 0.0,
    }


def _setting_row(pair: _Pair) -> dict[str, Any]:
    return _blank_row(pair.name, pair.genre) | {
        "runs": len(pair.now),
        "baseline": float(np.mean(list(pair.then.values()))),
        "now": float(np.mean(list(pair.now.values()))),
        "difference": pair.difference,
        "paired": pair.is_paired,
        "_variance": pair.variance * pair.factor,
        "_df": pair.df,
    }


def _variant_row(pairs: Sequence[_Pair], *, shared_seeds: bool) -> dict[str, Any]:
    """The mean over a variant's genres, with the error of its own settings."""
    terms = np.array(
        [
            (pair.own * pair.factor, pair.own_df)
            if pair.own_df
            else (pair.variance * pair.factor, pair.df)
            for pair in pairs
        ]
    )
    variance, df = math.nan, 0.0
    if (terms[:, 1] > 0).all():
        variance = float(terms[:, 0].sum()) / len(pairs) ** 2
        df = welch_df(terms[:, 0], terms[:, 1])
        by_seed = _error_by_seed(pairs) if shared_seeds else None
        if by_seed is not None:
            variance, df = by_seed
    cells = [_setting_row(pair) for pair in pairs]
    return _blank_row(pairs[0].name, ALL) | {
        "runs": sum(len(pair.now) for pair in pairs),
        "baseline": float(np.mean([cell["baseline"] for cell in cells])),
        "now": float(np.mean([cell["now"] for cell in cells])),
        "difference": float(np.mean([pair.difference for pair in pairs])),
        "paired": all(pair.is_paired for pair in pairs),
        "_variance": variance,
        "_df": df,
    }


def _error_by_seed(pairs: Sequence[_Pair]) -> tuple[float, float] | None:
    """The variance of a variant's mean difference from means over genres, seed by seed.

    With its degrees of freedom; None where genres do not have the same seeds, or one each.
    Student's t holds then, however seeds move all genres together.
    """
    samples = (
        [[pair.differences for pair in pairs]]
        if all(pair.is_paired for pair in pairs)
        else [[pair.now for pair in pairs], [pair.then for pair in pairs]]
    )
    means = []
    for sample in samples:
        seeds = set(sample[0])
        if any(set(genre) != seeds for genre in sample):
            return None
        means.append(np.array([np.mean([g[seed] for g in sample]) for seed in sorted(seeds)]))
    df = sum(len(side) - 1 for side in means)
    if df == 0:
        return None
    ss = sum(float(((side - side.mean()) ** 2).sum()) for side in means)
    return ss / df * sum(1 / len(side) for side in means), float(df)


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


def _add_lost(
    rows: Sequence[dict[str, Any]], now: pl.DataFrame, then: pl.DataFrame
) -> list[dict[str, Any]]:
    """The rows, and those of settings that are missing or of which more runs have no value."""
    by_setting = {(row["name"], row["genre"]): row for row in rows}
    present, before = _states(now), _states(then)
    for setting, counts in before.items():
        name, genre = setting
        if not counts.get("ok"):
            continue  # the reference has nothing to compare with
        row = by_setting.get(setting)
        if row is None:
            row = by_setting[setting] = _blank_row(name, genre)
        if setting not in present:
            row |= {"failed": True, "runs": 0, "why": "missing: no run of it"}
            continue
        total, total_before = sum(present[setting].values()), sum(counts.values())
        for state, words in _LOST_STATES.items():
            lost, lost_before = present[setting].get(state, 0), counts.get(state, 0)
            if lost / total > lost_before / total_before:
                why = f"{lost} of {total} runs {words}, {lost_before} of {total_before} before"
                row["failed"] = True
                row["why"] = f"{row['why']}; {why}".removeprefix("; ")
        if row["runs"] is None:
            row["runs"] = 0
    return list(by_setting.values())


def _is_setting(chosen: Collection[tuple[str, str]]) -> pl.Expr:
    frame = pl.DataFrame(sorted(chosen), schema=["name", "genre"], orient="row")
    return pl.struct("name", "genre").is_in(frame.to_struct().implode())


def _states(values: pl.DataFrame) -> dict[tuple[str, str], dict[str, int]]:
    states: dict[tuple[str, str], dict[str, int]] = {}
    for name, genre, state, count in values.group_by("name", "genre", "state").len().iter_rows():
        states.setdefault((name, genre), {})[state] = count
    return states


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
