"""Variants in order, per genre and overall, without a winner where the lead is noise.

Which may be the best is a question about the best of many, and the leader owes part of its lead to
having been picked. A variant ties with the best unless the comparison with the leader calls it
worse: the same test, with Holm's correction for all of them, that `compare --against LEADER` makes.
(J. C. Hsu, "Multiple Comparisons", 1996, chapter 4, compares with the best in this way; testing
two-sided makes rather too many ties than too few.)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import polars as pl

from postertui.analysis.adjusted_means import adjusted_means
from postertui.analysis.comparison_rows import compare_cells, compare_values
from postertui.analysis.contrasts import SettingValues, contrast_rows, setting_values
from postertui.analysis.measured_runs import MeasuredRuns, measure_runs
from postertui.analysis.noise import Noise
from postertui.analysis.repetition import repetition_notes
from postertui.analysis.statistics import t_quantile
from postertui.analysis.values import (
    chosen_on_test,
    default_metric,
    genres_share_seeds,
    rule_line,
)
from postertui.analysis.verdicts import ALPHA, MIN_DF
from postertui.history.metric_names import lower_is_better

SCHEMA = {
    "genre": pl.String,
    "name": pl.String,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "sd": pl.Float64,
    "n": pl.Int64,
    "rank": pl.Int64,
    "best": pl.Boolean,
    "behind": pl.Float64,
}


@dataclass(frozen=True)
class Leaderboard:
    """`genres` has one row per genre and variant (`SCHEMA`), `overall` one per variant.

    `best` marks the leader and all that nothing separates from it; `behind` is how far a row is
    behind the leader. Intervals are 95 % for the mean over seeds, null where the noise is
    unknown; then nothing is marked, as no difference is established. `overall.mean` is
    adjusted: see `adjusted_means`.
    """

    metric: str
    genres: pl.DataFrame
    overall: pl.DataFrame
    noise: Noise
    notes: tuple[str, ...]


def leaderboard(
    table: pl.DataFrame,
    metric: str | None = None,
    rule: str | int = "last",
    *,
    runs: Collection[str] | None = None,
    measured: MeasuredRuns | None = None,
) -> Leaderboard:
    """The table's variants in order of a metric.

    Parameters
    ----------
    table
        A history table.
    metric
        By default `default_metric`.
    rule
        At which epoch.
    runs
        The names of the runs to rank, by default all; the noise, the epoch and the metric are the
        whole table's in either case.
    measured
        The table's `measure_runs` of metric and rule; None to measure here.

    Returns
    -------
    Leaderboard
        Nothing in it is marked as best where the noise is unknown, or the epochs were chosen on the
        test cohort; its notes say so.
    """
    metric = metric or default_metric(table)
    if measured is None:
        measured = measure_runs(table, metric, rule)
    values, noise = measured.values, measured.noise
    is_marked = _marks_the_best(table, measured)
    if runs is not None:
        values = values.filter(pl.col("run").is_in(list(runs)))
    sign = -1.0 if lower_is_better(metric) else 1.0
    shared = genres_share_seeds(table)
    genres = _rank_genres(values, noise, sign, shared, is_marked=is_marked)
    overall = adjusted_means(genres, noise, sign)
    if is_marked and overall.height:
        ties = _overall_ties(values, overall["name"].to_list(), noise, sign, shared)
        overall = overall.with_columns(best=pl.col("name").is_in(sorted(ties)))
    notes = [
        f"{metric} {rule_line(table, measured.rule, metric)}.",
        *repetition_notes(table, measured.copies),
        noise.line,
    ]
    if not noise.is_known:
        notes.append(
            "Nothing is marked as best: without the noise no lead can be distinguished from chance."
        )
    elif not is_marked:
        notes.append("Nothing is marked as best: the epochs were chosen on the test cohort.")
    notes += _unranked_note(values)
    return Leaderboard(metric, genres, overall, noise, tuple(notes))


def _marks_the_best(table: pl.DataFrame, measured: MeasuredRuns) -> bool:
    """Whether the noise is known, and the epochs were not chosen on the cohort of the scores."""
    return measured.noise.is_known and not chosen_on_test(table, measured.metric, measured.rule)


def setting_means(values: pl.DataFrame) -> pl.DataFrame:
    """`genre name mean sd n` over the seeds of each setting, from `run_values`."""
    ok = values.filter(pl.col("state") == "ok")
    return ok.group_by("genre", "name").agg(
        mean=pl.mean("value"), sd=pl.std("value"), n=pl.len().cast(pl.Int64)
    )


def _unranked_note(values: pl.DataFrame) -> list[str]:
    """A sentence about variants that have no run with a value."""
    counts = (
        values.filter(~(pl.col("state") == "ok").any().over("name"))
        .group_by("name", "state")
        .len()
        .sort("name", "state")
    )
    if counts.is_empty():
        return []
    unranked = [
        f"{name} ({', '.join(f'{row[2]} {row[1]}' for row in own.iter_rows())})"
        for (name,), own in counts.group_by("name", maintain_order=True)
    ]
    return [f"Not ranked, without a run that has a value: {', '.join(unranked)}."]


def _overall_ties(
    values: pl.DataFrame, names: list[str], noise: Noise, sign: float, shared_seeds: bool
) -> set[str]:
    """The first of `names`, and those that a comparison over all genres calls no worse."""
    if len(names) == 1:
        return set(names)
    genres = values["genre"].unique().to_list()
    if len(genres) == 1:
        return _genre_ties(setting_values(values), names, genres, noise, sign, shared_seeds)
    verdicts, _ = compare_values(
        values,
        [(name, names[0]) for name in names[1:]],
        noise,
        over="runs",
        sign=sign,
        shared_seeds=shared_seeds,
    )
    return set(names) - set(verdicts.filter(pl.col("verdict") == "worse")["name"])


def _genre_ties(
    settings: SettingValues,
    names: list[str],
    genres: Sequence[str],
    noise: Noise,
    sign: float,
    shared_seeds: bool,
) -> set[str]:
    """The first of `names`, and those that a comparison by the cells of `genres` calls no worse."""
    if len(names) == 1:
        return set(names)
    chosen = [(name, names[0]) for name in names[1:]]
    contrasts = contrast_rows(settings, chosen, noise, genres=genres, shared_seeds=shared_seeds)
    cells = compare_cells(contrasts, "holm", "runs", sign=sign)
    return set(names) - {cell["name"] for cell in cells if cell["verdict"] == "worse"}


def lead_line(board: Leaderboard) -> str:
    """How large the leads are, in one sentence; empty where no genre has two variants."""
    return _describe_leads(board.genres, board.noise)


def lead_line_of(table: pl.DataFrame, measured: MeasuredRuns) -> str:
    """`lead_line` of the table's leaderboard, without ranking the variants over all genres."""
    values, noise = measured.values, measured.noise
    sign = -1.0 if lower_is_better(measured.metric) else 1.0
    shared, is_marked = genres_share_seeds(table), _marks_the_best(table, measured)
    return _describe_leads(_rank_genres(values, noise, sign, shared, is_marked=is_marked), noise)


def _describe_leads(genres: pl.DataFrame, noise: Noise) -> str:
    leads = genres.filter(pl.col("rank") == 2)["behind"].to_list()
    if not leads:
        return ""
    winners = genres.group_by("genre").agg(pl.col("best").sum())["best"]
    text = f"The median lead of a winner is {median(leads):.4f}"
    if noise.is_known:
        text += f", the noise of a run {noise.sd:.4f}"
        text += f"; {int((winners == 1).sum())} of {len(winners)} genres have a lone winner"
    return text + "."


def _rank_genres(
    values: pl.DataFrame, noise: Noise, sign: float, shared_seeds: bool, *, is_marked: bool
) -> pl.DataFrame:
    """The variants of each genre, best first (`SCHEMA`)."""
    cells = setting_means(values).sort("genre", pl.col("mean") * -sign, "name")
    settings = setting_values(values)
    rows: list[dict[str, Any]] = []
    for models in cells.partition_by("genre", maintain_order=True):
        names, genre = models["name"].to_list(), models["genre"][0]
        ties = set()
        if is_marked:
            ties = _genre_ties(settings, names, [genre], noise, sign, shared_seeds)
        rows += _rank_genre(models.to_dicts(), noise, sign, ties)
    return pl.DataFrame(rows, schema=SCHEMA)


def _rank_genre(
    models: list[dict[str, Any]], noise: Noise, sign: float, ties: set[str]
) -> list[dict[str, Any]]:
    """`models` of one genre, best first, with rank, interval and ties."""
    leader = models[0]
    rows = []
    for rank, model in enumerate(models, 1):
        low = high = None
        variance, df = noise.variance(model["genre"], model["name"])
        if df >= MIN_DF:
            half = t_quantile(1 - ALPHA / 2, df) * math.sqrt(variance / model["n"])
            low, high = model["mean"] - half, model["mean"] + half
        rows.append(
            model
            | {"low": low, "high": high, "rank": rank, "best": model["name"] in ties}
            | {"behind": sign * (leader["mean"] - model["mean"])}
        )
    return rows
