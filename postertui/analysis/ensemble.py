"""The 2017 study's ensemble: for each genre the variant with the best training F.

Choosing on the training cohort leaves the test cohort unseen, so the ensemble's test numbers are
as honest as a single model's. It stands next to the best single variant, chosen the same way, and
next to the best one in hindsight, chosen on the test cohort.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from postertui.analysis.cohorts import cohort_facts
from postertui.analysis.values import default_metric, resolve_rule, rule_line, run_values
from postertui.system.errors import UserError

CHOICE_SCHEMA = {
    "genre": pl.String,
    "name": pl.String,
    "train_fscore": pl.Float64,
    "test_fscore": pl.Float64,
    "test_tp": pl.Float64,
    "test_fp": pl.Float64,
    "test_fn": pl.Float64,
    "test_tn": pl.Float64,
    "counts": pl.String,
}
TOTAL_SCHEMA = {
    "model": pl.String,
    "chosen_by": pl.String,
    "genres": pl.Int64,
    "macro_f1": pl.Float64,
    "tp": pl.Float64,
    "fp": pl.Float64,
    "fn": pl.Float64,
    "tn": pl.Float64,
    "precision": pl.Float64,
    "recall": pl.Float64,
    "micro_f1": pl.Float64,
    "counts": pl.String,
}

_CELLS = ("tp", "fp", "fn", "tn")


@dataclass(frozen=True)
class Ensemble:
    """`choices` has the ensemble's variant per genre (`CHOICE_SCHEMA`), `totals` the sums.

    `totals` (`TOTAL_SCHEMA`) compares the ensemble, the best single variant by training F and the
    best one in hindsight, all over the same genres: those where a test F exists for the ensemble
    and both variants. `counts` says whether the confusion counts are `counted` or `implied` by
    accuracy and F (see `implied_counts`). `notes` belong under the table.
    """

    choices: pl.DataFrame
    totals: pl.DataFrame
    notes: tuple[str, ...]


def implied_counts(
    fscore: float, accuracy: float, positives: int, posters: int
) -> tuple[float, float, float, float] | None:
    """TP, FP, FN, TN of a classifier with that F and accuracy, or None where none exists.

    FP + FN = (1 - accuracy)·n, and F = 2TP/(2TP + FP + FN). Exact for an F-score from decisions;
    for a soft F or a mean over batches it is as near as those are.
    """
    wrong = (1 - accuracy) * posters
    if not 0 <= fscore < 1:
        return None
    tp = fscore * wrong / (2 * (1 - fscore))
    fn = positives - tp
    fp = wrong - fn
    tn = posters - tp - fp - fn
    return (tp, fp, fn, tn) if min(tp, fp, fn, tn) >= -0.5 else None


def ensemble(table: pl.DataFrame, rule: str | int = "last") -> Ensemble:
    """The ensemble by genre of a history table, variants averaged over their seeds.

    Parameters
    ----------
    table
        A history table.
    rule
        At which epoch. F is `default_metric`'s (soft over the cohort, else 2017's mean over
        batches), for both cohorts.

    Raises
    ------
    UserError
        With exit code 3 where no genre has both a training and a test F.
    """
    test_metric = default_metric(table)
    train_metric = test_metric.replace("test_", "train_")
    if rule == "best":
        raise UserError("an ensemble is chosen on the training cohort; use --epoch last, end or N")
    cells = _cells(table, train_metric, test_metric, rule)
    usable = cells.drop_nulls(["train_fscore", "test_fscore"])
    if usable.is_empty():
        raise UserError("no genre has both a training and a test F", exit_code=3)
    best_first = usable.sort("train_fscore", "name", descending=[True, False])
    best = best_first.group_by("genre").first().sort("genre")
    genres = set(best["genre"].to_list())
    covering = usable.group_by("name").agg(pl.mean("train_fscore", "test_fscore"), pl.len())
    # A single variant stands next to the ensemble only where it covers as many genres.
    full = covering.filter(pl.col("len") == covering["len"].max())
    by_training, by_test = (
        full.sort(chosen_by, "name", descending=[True, False])["name"][0]
        for chosen_by in ("train_fscore", "test_fscore")
    )
    for name in (by_training, by_test):
        genres &= set(usable.filter(pl.col("name") == name)["genre"].to_list())
    shared = usable.filter(pl.col("genre").is_in(sorted(genres)))
    totals = pl.DataFrame(
        [
            _total("ensemble", "training F, genre by genre", best, genres),
            _total(by_training, "training F", shared.filter(pl.col("name") == by_training), genres),
            _total(
                by_test, "test F, in hindsight", shared.filter(pl.col("name") == by_test), genres
            ),
        ],
        schema=TOTAL_SCHEMA,
    )
    missing = sorted(set(table["genre"].unique().to_list()) - set(best["genre"].to_list()))
    notes = [f"{test_metric} {rule_line(table, rule)}; variants averaged over their seeds."]
    if missing:
        notes.append(f"Left out, as no variant has a test F there: {', '.join(missing)}.")
    if (best["counts"] == "implied").any():
        notes.append("Confusion counts are implied by accuracy and F: the table has none.")
    return Ensemble(best.select(*CHOICE_SCHEMA), totals, tuple(notes))


def _cells(table: pl.DataFrame, train: str, test: str, rule: str | int) -> pl.DataFrame:
    """One row per variant and genre: both F-scores, confusion counts and where they are from."""
    values = run_values(table, test, resolve_rule(table, rule)).filter(pl.col("state") != "short")
    counts = [f"test_{c}" for c in _CELLS]
    have = set(table.columns) >= set(counts)
    wanted = [train, "test_accuracy", *(counts if have else [])]
    rows = values.filter(pl.col("state") == "ok").join(
        table.select("run", "epoch", *(pl.col(c).alias(f"_{c}") for c in wanted)),
        on=["run", "epoch"],
        how="left",
    )
    means = rows.group_by("name", "genre").agg(
        train_fscore=pl.col(f"_{train}").cast(pl.Float64).fill_nan(None).mean(),
        test_fscore=pl.mean("value"),
        accuracy=pl.mean("_test_accuracy"),
        **{c: pl.mean(f"_{c}") if have else pl.lit(None, dtype=pl.Float64) for c in counts},
    )
    facts = {row["genre"]: row for row in cohort_facts(table).iter_rows(named=True)}
    filled = []
    for row in means.iter_rows(named=True):
        row["counts"] = "counted" if row["test_tp"] is not None else ""
        fact = facts[row["genre"]]
        rate, posters = fact["test_base_rate"], fact["test_posters"]
        if row["test_tp"] is None and None not in (rate, posters, row["accuracy"]):
            implied = implied_counts(
                row["test_fscore"], row["accuracy"], round(rate * posters), posters
            )
            if implied is not None:
                row |= dict(zip(counts, implied, strict=True)) | {"counts": "implied"}
        filled.append({k: row[k] for k in CHOICE_SCHEMA})
    return pl.DataFrame(filled, schema=CHOICE_SCHEMA).sort("genre", "name")


def _total(model: str, chosen_by: str, cells: pl.DataFrame, genres: set[str]) -> dict[str, Any]:
    own = cells.filter(pl.col("genre").is_in(sorted(genres)))
    row: dict[str, Any] = dict.fromkeys(TOTAL_SCHEMA)
    row |= {"model": model, "chosen_by": chosen_by, "genres": own.height}
    row |= {"macro_f1": own["test_fscore"].mean(), "counts": ""}
    counted = own.drop_nulls("test_tp")
    if counted.height and counted.height == own.height:
        tp, fp, fn, tn = (float(counted[f"test_{c}"].sum()) for c in _CELLS)
        row |= {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
        row |= {"precision": tp / (tp + fp) if tp + fp else None}
        row |= {"recall": tp / (tp + fn) if tp + fn else None}
        row |= {"micro_f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None}
        row["counts"] = "implied" if (counted["counts"] == "implied").any() else "counted"
    return row
