"""What the analyses of one table say, in a few sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from postertui.analysis.baselines import margins
from postertui.analysis.cohorts import cohort_facts
from postertui.analysis.measured_runs import MeasuredRuns, measure_runs
from postertui.analysis.row_states import dead_rows
from postertui.analysis.undefined import undefined_causes
from postertui.data.base_rates import always_yes_f
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.analysis.compare import Comparison
    from postertui.analysis.ensemble import Ensemble

#: How many names are spelled out in a sentence.
_NAMED = 12


def dead_line(table: pl.DataFrame) -> str:
    """How many epochs come from dead models."""
    dead = table.select("run", is_dead=dead_rows(table)).filter("is_dead")
    if dead.is_empty():
        return f"None of {table.height:,} epochs comes from a dead model."
    share = 100 * dead.height / table.height
    return (
        f"{dead.height:,} of {table.height:,} epochs ({share:.1f} %) come from dead models, "
        f"in {dead['run'].n_unique()} of {table['run'].n_unique()} runs."
    )


def undefined_line(table: pl.DataFrame) -> str:
    """How many epochs have no published test F, and why; empty where none has or all have it."""
    causes = undefined_causes(table)["cause"].value_counts(sort=True, name="epochs")
    total = int(causes["epochs"].sum())
    if total in (0, table.height):
        return ""
    reasons = {
        "dead": "because the model is dead",
        "empty batch": "because a batch of the test cohort has no positive",
        "not recorded": "because the program that trained did not record it",
        "unexplained": "for no reason that the table shows",
    }
    parts = [f"{count:,} {reasons[cause]}" for cause, count in causes.iter_rows()]
    return f"{total:,} of {table.height:,} epochs have no test_fscore: {', '.join(parts)}."


def baselines_line(
    table: pl.DataFrame,
    metric: str,
    variant: str,
    rule: str | int = "last",
    measured: MeasuredRuns | None = None,
) -> str:
    """In which genres a variant is above the baseline; both numbers where it is not.

    Parameters
    ----------
    table
        A history table with base rates.
    metric, rule
        Which F-score, at which epoch.
    variant
        Its name.
    measured
        The table's `measure_runs` of metric and rule; None to measure here.
    """
    if measured is None:
        measured = measure_runs(table, metric, rule)
    runs = measured.values.filter(pl.col("name") == variant)["run"].to_list()
    own = margins(table, metric, rule, measured, runs=runs)
    if own.is_empty():
        return ""
    rates = dict(cohort_facts(table).select("genre", "test_base_rate").iter_rows())
    parts = []
    for verdict in ("above", "unclear", "below"):
        genres = own.filter(pl.col("verdict") == verdict).sort("genre")
        if genres.is_empty():
            continue
        names = [
            genre
            if verdict == "above"
            else f"{genre} ({value:.4f}, always-yes {always_yes_f(rates[genre]):.4f})"
            for genre, value in genres.select("genre", "value").iter_rows()
        ]
        parts.append(f"{verdict} in {listed(names)}")
    return f"{variant} against the higher baseline of each genre: {'; '.join(parts)}."


def verdict_line(comparison: Comparison) -> str:
    """How many variants are better and worse than the one they are compared with."""
    rows = comparison.rows
    references = rows["reference"].unique().to_list()
    reference = references[0] if len(references) == 1 else "each other"
    parts = []
    for verdict in ("better", "worse", "undecided", "too little data"):
        names = rows.filter(pl.col("verdict") == verdict)["name"].to_list()
        if verdict in ("better", "worse"):
            parts.append(
                f"{len(names) or 'none'} {verdict}" + (f" ({listed(names)})" * bool(names))
            )
        elif names:
            parts.append(f"{len(names)} {verdict}")
    return f"Variants against {reference}: {', '.join(parts)}."


def ensemble_line(result: Ensemble) -> str:
    """The ensemble's macro-F1 next to the best single variant's."""
    ensemble, single, hindsight = result.totals.iter_rows(named=True)
    return (
        f"The ensemble that takes each genre's variant by training F reaches a macro-F1 of "
        f"{ensemble['macro_f1']:.4f} over {pluralize(ensemble['genres'], 'genre')}; the best "
        f"single variant chosen that way ({single['model']}) {single['macro_f1']:.4f}, "
        f"the best in hindsight ({hindsight['model']}) {hindsight['macro_f1']:.4f}."
    )


def listed(names: list[str]) -> str:
    """The names, the first dozen of them where there are more."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
