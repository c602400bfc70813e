"""The baselines that a model must pass, and its margin over them.

Of a genre whose share of positives in the test cohort is m, a dummy that says yes at random at
that rate (scikit-learn's `DummyClassifier(strategy="stratified")`) has F = m, and one that always
says yes has F = 2m/(1+m), since its precision is m and its recall 1. This all-positive baseline
("always-yes") is the higher of the two and the one that counts.

`test_fscore` is 2017's metric: a mean over the batches of the cohort in its order. A mean of F is
not the F of the whole: the same always-yes model reaches .4329 there for Drama of 2017, not .4384
(films of one decade come together, and F is concave in m). Where runs of the table have collapsed
to always-yes, what they reached is therefore the baseline for that metric.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import polars as pl

from postertui.analysis.cohorts import cohort_facts
from postertui.analysis.measured_runs import MeasuredRuns, measure_runs
from postertui.analysis.row_states import dead_rows
from postertui.analysis.statistics import t_quantile
from postertui.analysis.verdicts import MIN_DF
from postertui.data.base_rates import always_yes_f

BASELINE_SCHEMA = {
    "genre": pl.String,
    "test_posters": pl.Int64,
    "positives": pl.Int64,
    "base_rate": pl.Float64,
    "base_rate_low": pl.Float64,
    "base_rate_high": pl.Float64,
    "always_yes": pl.Float64,
    "always_yes_low": pl.Float64,
    "always_yes_high": pl.Float64,
    "measured_always_yes": pl.Float64,
    "baseline": pl.Float64,
}
MARGIN_SCHEMA = {
    "name": pl.String,
    "genre": pl.String,
    "n": pl.Int64,
    "value": pl.Float64,
    "baseline": pl.Float64,
    "margin": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "verdict": pl.String,
}


def rate_interval(rate: float, posters: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share seen in `posters` posters (E. B. Wilson, JASA 22, 1927)."""
    z = t_quantile(0.975, math.inf)
    centre = (rate + z * z / (2 * posters)) / (1 + z * z / posters)
    spread = math.sqrt(rate * (1 - rate) / posters + z * z / (4 * posters**2))
    half = z / (1 + z * z / posters) * spread
    return max(0.0, centre - half), min(1.0, centre + half)


def baselines(table: pl.DataFrame, metric: str = "test_fscore_soft") -> pl.DataFrame:
    """The baselines of each genre: base rate and always-yes F, with how far they could move.

    Parameters
    ----------
    table
        A history table with base rates.
    metric
        What is measured; for `test_fscore`, a mean over batches, the baseline is the measured one
        where there is one.

    Returns
    -------
    polars.DataFrame
        One row per genre (`BASELINE_SCHEMA`); null where base rate or cohort size is unknown. The
        intervals (95 %) say how far base rate and always-yes F would move with another cohort of
        that size. `baseline` is the higher of the two.
    """
    cohorts = cohort_facts(table)
    measured = _measured_always_yes(table, cohorts) if metric == "test_fscore" else {}
    rows: list[dict[str, Any]] = []
    for facts in cohorts.iter_rows(named=True):
        rate, posters, genre = facts["test_base_rate"], facts["test_posters"], facts["genre"]
        row = dict.fromkeys(BASELINE_SCHEMA) | {"genre": genre, "test_posters": posters}
        if rate is not None:
            row |= {"base_rate": rate, "always_yes": always_yes_f(rate)}
            row["measured_always_yes"] = measured.get(genre)
            row["baseline"] = max(rate, measured.get(genre, always_yes_f(rate)))
        if rate is not None and posters is not None:
            low, high = rate_interval(rate, posters)
            row |= {"positives": round(rate * posters), "base_rate_low": low}
            row |= {"base_rate_high": high, "always_yes_low": always_yes_f(low)}
            row["always_yes_high"] = always_yes_f(high)
        rows.append(row)
    return pl.DataFrame(rows, schema=BASELINE_SCHEMA)


def _measured_always_yes(table: pl.DataFrame, cohorts: pl.DataFrame) -> dict[str, float]:
    """Genre to what its runs reached while they decided yes for every poster of both cohorts.

    The median over such epochs: an output that is the same for all posters but below 1 has a
    lower soft F, one that still ranks them a higher one.
    """
    facts = cohorts.drop_nulls(["train_base_rate", "test_base_rate"])
    rows = table.select(
        "genre", "train_accuracy", "test_accuracy", "test_fscore", is_dead=dead_rows(table)
    )
    rows = rows.join(facts, on="genre").filter(
        ~pl.col("is_dead")
        & ((pl.col("test_accuracy") - pl.col("test_base_rate")).abs() < 1e-5)
        & ((pl.col("train_accuracy") - pl.col("train_base_rate")).abs() < 1e-5)
        & pl.col("test_fscore").is_not_null()
    )
    return dict(rows.group_by("genre").agg(pl.median("test_fscore")).iter_rows())


def fscore_error(fscore: float, tp: float, fp_and_fn: float) -> float:
    """The standard error of an F-score that comes from the cohort being a sample.

    F = 2TP/(2TP+FP+FN) is a ratio of sums over posters; by the delta method its variance is the
    sum over posters of ((numerator term - F · denominator term) / denominator)².

    Parameters
    ----------
    fscore
        F, between 0 and 1.
    tp, fp_and_fn
        Posters; means over runs need not be whole.
    """
    denominator = 2 * tp + fp_and_fn
    if denominator <= 0:
        return math.nan
    square = tp * (2 - 2 * fscore) ** 2 + fp_and_fn * fscore**2
    return math.sqrt(square) / denominator


def margin_error(tp: int, fp: int, fn: int, tn: int) -> float:
    """The standard error of a model's F minus the always-yes F on the same posters.

    The delta method as in `fscore_error`; that both are measured on one cohort counts.
    """
    n1, n = tp + fn, tp + fp + fn + tn
    if n1 == 0:
        return math.nan
    d, d_yes = 2 * tp + fp + fn, n + n1
    f, f_yes = 2 * tp / d, 2 * n1 / d_yes
    yes_positive, yes_negative = (2 - 2 * f_yes) / d_yes, -f_yes / d_yes
    terms = (
        (tp, (2 - 2 * f) / d - yes_positive),
        (fn, -f / d - yes_positive),
        (fp, -f / d - yes_negative),
        (tn, -yes_negative),
    )
    return math.sqrt(sum(count * term**2 for count, term in terms))


def margins(
    table: pl.DataFrame,
    metric: str,
    rule: str | int = "last",
    measured: MeasuredRuns | None = None,
    *,
    runs: Collection[str] | None = None,
) -> pl.DataFrame:
    """Each variant's margin over its genre's baseline.

    Parameters
    ----------
    table
        A history table with base rates.
    metric, rule
        Which F-score, at which epoch.
    measured
        The table's `measure_runs` of both; None to measure here.
    runs
        The names of the runs to show, by default all; the noise is the whole table's.

    Returns
    -------
    polars.DataFrame
        One row per (name, genre), `MARGIN_SCHEMA`. The verdict is `above` or `below` where the
        interval leaves zero out.

    Notes
    -----
    The interval (95 %) adds up two errors: the cohort is a sample of `test_posters` posters, and
    the run is one of the noise's (divided by the number of seeds). A part that is unknown counts
    as nothing; the interval is null where both are.
    """
    if measured is None:
        measured = measure_runs(table, metric, rule)
    noise = measured.noise
    ok = measured.values.filter(pl.col("state") == "ok")
    if runs is not None:
        ok = ok.filter(pl.col("run").is_in(list(runs)))
    ok = ok.join(table.select("run", "epoch", *_cells(table)), on=["run", "epoch"], how="left")
    genres = {row["genre"]: row for row in baselines(table, metric).iter_rows(named=True)}
    groups = ok.group_by("name", "genre").agg(
        pl.len().alias("n"), pl.mean("value"), *(pl.mean(c) for c in _cells(table))
    )
    rows = []
    for group in groups.sort("genre", "name").iter_rows(named=True):
        genre = genres[group["genre"]]
        if genre["baseline"] is None:
            continue
        margin = group["value"] - genre["baseline"]
        variance, df = noise.variance(group["genre"], group["name"])
        is_known = df >= MIN_DF
        variance, df = (variance, df) if is_known else (0.0, math.inf)
        cohort = _cohort_error(group, genre)
        se = math.sqrt(variance / group["n"] + cohort**2)
        # Satterthwaite: the cohort's part is as good as known, the runs' part has few degrees.
        if is_known and variance > 0:
            df *= (se * se / (variance / group["n"])) ** 2
        low = high = None
        verdict = "unclear"
        if se > 0:
            half = t_quantile(0.975, df) * se
            low, high = margin - half, margin + half
            verdict = "above" if low > 0 else "below" if high < 0 else "unclear"
        rows.append(
            {k: group[k] for k in ("name", "genre", "n", "value")}
            | {"baseline": genre["baseline"], "margin": margin, "low": low, "high": high}
            | {"verdict": verdict}
        )
    return pl.DataFrame(rows, schema=MARGIN_SCHEMA)


def genre_verdicts(margins: pl.DataFrame) -> pl.DataFrame:
    """`genre verdict best margin`: the verdict over all models of a genre.

    `above` where one model stays above with its interval widened for having been picked among
    all (Bonferroni); `below` where every model is below; else `unclear`. `best` is the
    variant with the highest margin.
    """
    rows = []
    for (genre,), models in margins.group_by("genre", maintain_order=True):
        best = models.sort("margin", descending=True).row(0, named=True)
        verdict = "unclear"
        if best["low"] is not None:
            wider = t_quantile(1 - 0.025 / models.height, math.inf) / t_quantile(0.975, math.inf)
            low = best["margin"] - wider * (best["margin"] - best["low"])
            if low > 0:
                verdict = "above"
            elif (models["verdict"] == "below").all():
                verdict = "below"
        rows.append((genre, verdict, best["name"], best["margin"]))
    schema = {"genre": pl.String, "verdict": pl.String, "best": pl.String, "margin": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("genre")


def _cells(table: pl.DataFrame) -> list[str]:
    return [c for c in ("test_tp", "test_fp", "test_fn", "test_tn") if c in table.columns]


def _cohort_error(group: dict[str, Any], genre: dict[str, Any]) -> float:
    """The cohort's part of a margin's standard error; 0 where the table does not have it.

    From the confusion counts where the table has them. Without them, from a model of that F that
    finds half of the positives, which for F = 2TP/D gives TP and D.
    """
    counts = [group.get(f"test_{c}") for c in ("tp", "fp", "fn", "tn")]
    if all(c is not None for c in counts):
        error = margin_error(*(round(c) for c in counts if c is not None))
        return 0.0 if math.isnan(error) else error
    f, positives = group["value"], genre["positives"]
    if not positives or not 0 < f < 1:
        return 0.0
    tp = positives / 2
    return fscore_error(f, tp, 2 * tp / f - 2 * tp)
