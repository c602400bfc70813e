"""Variants against a reference: is the difference more than noise?

The unit. A test F of one genre is one number from one training on one cohort. A difference is one
of means over all seeds of both sides (`postertui.analysis.contrasts`); a variant's difference is
the mean over genres. Five questions can be asked of it:

- over `runs`: would these genres come out the same if everything were trained again? The genres
  are taken as given, the spread between runs of one setting is the error, and Student's t has its
  degrees of freedom, at least three. The default wherever that spread is known;
- over `posters`: would these trained models compare the same on other posters? The error is that
  of a paired bootstrap over the test cohort's posters (`postertui.analysis.posters`);
- over `both`: trained again and on other posters. The two errors are independent, and add up;
- over `rotations`: would models trained and tested on other posters compare the same? Each rotation
  of the cohorts is one answer; since their training sets may overlap, the variance of the mean is
  that of C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52,
  2003: (1/J + test posters / training posters) times the variance over J rotations. The default
  where there are three rotations or more;
- over `genres`: would other genres come out the same? The genres are the sample: Student's paired
  t over five genres or more, as for classifiers over data sets in J. Demšar, "Statistical
  comparisons of classifiers over multiple data sets", JMLR 7, 2006. His choice of Wilcoxon's test
  cannot reach significance after correction with ten genres and twenty variants; an exact
  sign-flip p-value, which assumes symmetry only, stands beside the t instead.

Where the error is unknown there is too little data, and nothing is ranked.

A variant's error rests on its own runs and the reference's alone, so one variant that is noisier
than the others is no more often called different. Within one genre a variance of few runs is a poor
estimate, and it is drawn towards what variant and genre suggest (`postertui.analysis.variances`).

All p-values of one question (the variants' means; every genre of every variant) are corrected
together, by Holm's procedure unless asked otherwise. Intervals are not corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from postertui.analysis.comparison_errors import (
    Over,
    posters_tested_per_trained,
)
from postertui.analysis.comparison_notes import lost_run_notes, unit_notes, with_notes
from postertui.analysis.comparison_rows import ROW_SCHEMA, compare_values
from postertui.analysis.measured_runs import MeasuredRuns, measure_runs
from postertui.analysis.noise import Noise
from postertui.analysis.repetition import repetition_notes
from postertui.analysis.values import (
    genres_share_seeds,
    resolve_rule,
    rule_line,
)
from postertui.analysis.verdicts import (
    CORRECTIONS,
    Correction,
)
from postertui.history.metric_names import lower_is_better
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.analysis.posters import PosterErrors


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`.

    Parameters
    ----------
    rows
        One per compared pair of variants (`ROW_SCHEMA`), best first. A verdict is `better`,
        `worse`, `undecided` or `too little data`.
    cells
        One per pair and genre (`CELL_SCHEMA`), best first; `too little data` means here that the
        noise is unknown.
    notes
        Sentences that belong under the table: noise, unit, epoch rule, correction.
    """

    metric: str
    rule: str | int
    rows: pl.DataFrame
    cells: pl.DataFrame
    noise: Noise
    correction: Correction
    notes: tuple[str, ...]


def compare(
    table: pl.DataFrame,
    *,
    names: Sequence[str] | None = None,
    genres: Sequence[str] | None = None,
    against: str | None = "base",
    metric: str,
    rule: str | int = "last",
    correction: Correction = "holm",
    over: Over = "auto",
    posters: PosterErrors | None = None,
    measured: MeasuredRuns | None = None,
) -> Comparison:
    """Compare variants with one of them, or each with each.

    Parameters
    ----------
    table
        A history table. The noise is taken from all of it, whatever is compared.
    names, genres
        Which variants, over which genres; by default all of the table's.
    against
        The variant that the others are compared with; None for each pair.
    metric, rule
        What is compared, at which epoch.
    correction
        How p-values are corrected for the number of comparisons.
    over
        What the interval is about (see above); `auto` is `runs` where the noise is known.
    posters
        The posters' errors, where there are predictions or counts.
    measured
        The table's `measure_runs` of metric and rule; None to measure here. They are measured
        again where the compared variants were not trained for as long as most of the table's.

    Raises
    ------
    UserError
        With exit code 3 where a variant is not in the table, or there is one only.
    """
    present = table["name"].unique(maintain_order=True).sort().to_list()
    names = present if names is None else list(names)
    for name in (*names, *([against] if against is not None else [])):
        if name not in present:
            mend = "; compare with one of them: --against NAME" if name == against else ""
            raise UserError(
                f"no variant {name!r} in the table; it has {', '.join(present)}{mend}",
                exit_code=3,
            )
    if against is None:
        chosen = [(b, a) for i, a in enumerate(names) for b in names[i + 1 :]]
    else:
        chosen = [(n, against) for n in names if n != against]
    if not chosen:
        raise UserError("nothing to compare: there is one variant only", exit_code=3)
    involved = {n for pair in chosen for n in pair}
    compared = table
    if involved != set(present):
        compared = table.filter(pl.col("name").is_in(involved))
    resolved = resolve_rule(compared, rule)
    if measured is None or measured.rule != resolved:
        measured = measure_runs(table, metric, resolved)
    values, equal, noise = measured.values, measured.equal, measured.noise
    sign = -1.0 if lower_is_better(metric) else 1.0
    rows, cells = compare_values(
        values,
        chosen,
        noise,
        correction,
        over,
        sign=sign,
        genres=genres,
        shared_seeds=genres_share_seeds(table),
        posters=posters,
        test_share=posters_tested_per_trained(table),
    )
    if genres is not None:
        values = values.filter(pl.col("genre").is_in(list(genres)))
    rows = with_notes(rows, values, equal).select(*ROW_SCHEMA)
    notes = (
        f"{metric} {rule_line(compared, resolved, metric)}.",
        *repetition_notes(table, measured.copies),
        noise.line,
        f"Correction for {len(chosen)} comparisons: {CORRECTIONS[correction]}; intervals are not "
        "corrected."
        if len(chosen) > 1
        else "One comparison: nothing to correct for.",
        *unit_notes(rows),
        *lost_run_notes(values.filter(pl.col("name").is_in(involved))),
    )
    return Comparison(metric, rule, rows, cells, noise, correction, notes)
