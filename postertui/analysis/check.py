"""Whether a variant got worse than in a reference table: the check of continuous integration.

It fails closed: what the reference had and the table lacks is a failure with a name, unless it is
allowed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

import polars as pl

from postertui.analysis.check_errors import noise_of_both
from postertui.analysis.check_rows import AGAINST_SCHEMA, ALL, add_lost
from postertui.analysis.check_verdicts import add_verdicts, assess_rows
from postertui.analysis.noise import Noise, find_equal_variants
from postertui.analysis.repetition import repetition_notes
from postertui.analysis.values import (
    check_metric,
    genres_share_seeds,
    resolve_rule,
    run_values,
)
from postertui.history.metric_names import lower_is_better
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

    def unused(self, settings: Collection[tuple[str, str]]) -> list[str]:
        """The patterns that none of these (name, genre) match."""
        return [
            pattern
            for pattern in self.patterns
            if not any(Allowed(patterns=(pattern,)).covers(*setting) for setting in settings)
        ]

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
    rows, settings_paired = assess_rows(now, then, noise, shared_seeds=shared, chosen=chosen)
    if chosen is not None:
        now, then = (v.filter(_is_setting(chosen)) for v in (now, then))
    add_verdicts(rows, margin, sign)
    rows = add_lost(rows, now, then)
    has_error = any(row["_df"] for row in rows)
    if not any(row["failed"] or row["difference"] is not None for row in rows):
        raise UserError(
            f"nothing to compare: no setting has a value of {metric} in both tables", exit_code=3
        )
    is_blind = margin is None and not has_error and any(row["difference"] for row in rows)
    if is_blind and not any(row["failed"] for row in rows):
        raise UserError(
            "no noise to compare with: no setting has enough runs that differ in either table; "
            "train more seeds or give a number, e.g. --margin 0.02"
        )
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
    reference_settings = list(then.select("name", "genre").unique().iter_rows())
    unused = [
        f"--allow {p} names no setting of the reference."
        for p in allowed.unused(reference_settings)
    ]
    return CheckReport(frame, (notes[0], *repeats, *notes[1:], *unused))


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
    notes = [f"{metric}, {settings} settings with a value in both tables.", noise.line]
    of_settings = frame.filter(pl.col("genre") != ALL)
    empty = of_settings.filter(~pl.col("failed") & pl.col("difference").is_null())
    if empty.height:
        are = "setting has" if empty.height == 1 else "settings have"
        notes.append(
            f"{empty.height} {are} no value to compare, and no more lost runs than the reference: "
            f"{_listed(empty.select('name', 'genre'))}."
        )
    if fewer := _fewer_runs(now, then):
        notes.append(f"Fewer runs than in the reference: {'; '.join(fewer)}.")
    if paired:
        notes.append(f"In {paired} settings the seeds match, and runs are compared in pairs.")
    if margin is None:
        notes.append(
            "Fails where worse beyond noise: one-sided t, 5 % in all, half of it for means over "
            "genres, half for single genres, each with Holm's correction."
        )
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


def _fewer_runs(now: pl.DataFrame, then: pl.DataFrame) -> list[str]:
    """Settings that lack runs which the reference has, with both numbers."""
    keys = ["name", "genre"]
    counts = now.group_by(keys).len("now").join(then.group_by(keys).len("then"), on=keys)
    fewer = counts.filter(pl.col("now") < pl.col("then")).sort(keys)
    texts = [f"{n}/{g} {a} of {b}" for n, g, a, b in fewer.head(5).iter_rows()]
    return texts + ([f"and {fewer.height - 5} more"] if fewer.height > 5 else [])


def _listed(settings: pl.DataFrame) -> str:
    names = ", ".join(f"{n}/{g}" for n, g in settings.sort("name", "genre").head(5).iter_rows())
    return names + (f" and {settings.height - 5} more" if settings.height > 5 else "")
