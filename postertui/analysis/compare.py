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

With neither there is too little data, and nothing is ranked.

A variant's error rests on its own runs and the reference's alone, so one variant that is noisier
than the others is no more often called different. Within one genre few runs tell a variance, and
it is drawn towards what variant and genre suggest (`postertui.analysis.variances`).

All p-values of one question (the variants' means; every genre of every variant) are corrected
together, by Holm's procedure unless asked otherwise. Intervals are not corrected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from postertui.analysis.comparison_errors import (
    ENOUGH_ROTATIONS,
    Over,
    combine_errors,
    posters_tested_per_trained,
    rotation_error,
    row_error,
    usable_df,
)
from postertui.analysis.comparison_notes import (
    ENOUGH_GENRES,
    equal_note,
    lost_run_notes,
    unit_notes,
    with_reasons,
)
from postertui.analysis.contrasts import (
    CellContrast,
    RowContrast,
    contrast_rows,
    runs_by_setting,
)
from postertui.analysis.noise import Noise, estimate_noise, find_equal_variants
from postertui.analysis.posters import PosterErrors
from postertui.analysis.statistics import sign_flip_p_value
from postertui.analysis.values import (
    genres_share_seeds,
    lower_is_better,
    repetition_notes,
    resolve_rule,
    rule_line,
    run_values,
)
from postertui.analysis.verdicts import (
    CORRECTIONS,
    Correction,
    interval_and_p,
    with_verdicts,
)
from postertui.system.errors import UserError

#: What an interval rests on, by what was asked.
UNITS = {
    "runs": "runs",
    "posters": "posters",
    "both": "runs and posters",
    "rotations": "rotations",
}

CELL_SCHEMA = {
    "name": pl.String,
    "reference": pl.String,
    "genre": pl.String,
    "pairs": pl.Int64,
    "value": pl.Float64,
    "reference_value": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "p_adjusted": pl.Float64,
    "verdict": pl.String,
}
ROW_SCHEMA = {
    "name": pl.String,
    "reference": pl.String,
    "genres": pl.Int64,
    "pairs": pl.Int64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "p_adjusted": pl.Float64,
    "p_sign_flip": pl.Float64,
    "unit": pl.String,
    "better": pl.Int64,
    "worse": pl.Int64,
    "undecided": pl.Int64,
    "dead": pl.Int64,
    "undefined": pl.Int64,
    "short": pl.Int64,
    "verdict": pl.String,
    "note": pl.String,
}


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`.

    `rows` has one row per compared pair of variants (`ROW_SCHEMA`), `cells` one per pair and genre
    (`CELL_SCHEMA`), best first. A verdict is `better`, `worse`, `undecided` or `too little data`;
    in `cells` the last means that the noise is unknown. `notes` are sentences that belong under
    the table: noise, unit, epoch rule, correction.
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
) -> Comparison:
    """Compare the variants `names` with the variant `against`, over `genres`.

    Both are all of the table's by default. The noise is taken from the whole table, whatever is
    compared.

    With `against=None` every variant is compared with every other. `over` is what the interval is
    about (see above); `auto` is `runs` where the noise is known. Raises `UserError` where a variant
    is not in the table (exit code 3).
    """
    present = table["name"].unique(maintain_order=True).sort().to_list()
    names = present if names is None else list(names)
    for name in (*names, *([against] if against is not None else [])):
        if name not in present:
            raise UserError(
                f"no variant {name!r} in the table; it has {', '.join(present)}", exit_code=3
            )
    if against is None:
        chosen = [(b, a) for i, a in enumerate(names) for b in names[i + 1 :]]
    else:
        chosen = [(n, against) for n in names if n != against]
    if not chosen:
        raise UserError("nothing to compare: there is one variant only", exit_code=3)
    involved = {n for pair in chosen for n in pair}
    compared = table.filter(pl.col("name").is_in(involved))
    values = run_values(table, metric, resolve_rule(compared, rule))
    equal = find_equal_variants(table)
    noise = estimate_noise(values, equal)
    if genres is not None:
        values = values.filter(pl.col("genre").is_in(list(genres)))
    sign = -1.0 if lower_is_better(metric) else 1.0
    rows, cells = compare_values(
        values,
        chosen,
        noise,
        correction,
        over,
        sign=sign,
        shared_seeds=genres_share_seeds(table),
        posters=posters,
        test_share=posters_tested_per_trained(table),
    )
    rows = rows.with_columns(
        note=pl.struct("name", "reference").map_elements(
            lambda row: equal_note(row["name"], row["reference"], equal), return_dtype=pl.String
        )
    ).select(*ROW_SCHEMA)
    rows = with_reasons(rows, values)
    notes = (
        f"{metric} {rule_line(compared, rule, metric)}.",
        *repetition_notes(table),
        noise.line,
        f"Correction for {len(chosen)} comparisons: {CORRECTIONS[correction]}; intervals are not "
        "corrected."
        if len(chosen) > 1
        else "One comparison: nothing to correct for.",
        *unit_notes(rows),
        *lost_run_notes(values.filter(pl.col("name").is_in(involved))),
    )
    return Comparison(metric, rule, rows, cells, noise, correction, notes)


def compare_values(
    values: pl.DataFrame,
    chosen: Sequence[tuple[str, str]],
    noise: Noise,
    correction: Correction = "holm",
    over: Over = "auto",
    *,
    sign: float = 1.0,
    shared_seeds: bool = True,
    posters: PosterErrors | None = None,
    test_share: float = 1.0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The comparison of one number per run (`run_values`): its rows and cells, best first.

    Parameters
    ----------
    chosen
        Pairs of (name, reference).
    noise
        The noise of the whole table.
    sign
        -1 for a metric of which less is better.
    shared_seeds
        Whether runs of one seed and different genres may share random numbers.
    posters
        The posters' errors, for `over` `posters` and `both`.
    test_share
        Test posters by training posters, for `over` `rotations`.
    """
    if over == "auto":
        over = default_over(values, noise)
    contrasts = contrast_rows(values, chosen, noise, shared_seeds=shared_seeds)
    cells = with_verdicts(
        pl.DataFrame(
            [
                _cell_record(row, cell, over, posters, test_share)
                for row in contrasts
                for cell in row.cells
            ],
            schema={k: v for k, v in CELL_SCHEMA.items() if k not in ("p_adjusted", "verdict")},
        ),
        correction,
        sign,
    ).select(*CELL_SCHEMA)
    runs = runs_by_setting(values)
    states = {
        (name, state): count
        for name, state, count in values.group_by("name", "state").len().iter_rows()
    }
    verdicts: dict[tuple[str, str], list[str]] = {}
    for name, reference, verdict in cells.select("name", "reference", "verdict").iter_rows():
        verdicts.setdefault((name, reference), []).append(verdict)
    records = []
    for row in contrasts:
        own = verdicts.get((row.name, row.reference), [])
        records.append(
            {
                "name": row.name,
                "reference": row.reference,
                "genres": len(row.cells),
                "pairs": sum(cell.pairs for cell in row.cells),
                **_mean_difference(
                    row,
                    over,
                    row_error(row, runs, noise, shared_seeds=shared_seeds),
                    posters,
                    test_share,
                ),
                **{v: own.count(v) for v in ("better", "worse", "undecided")},
                **{s: states.get((row.name, s), 0) for s in ("dead", "undefined", "short")},
            }
        )
    fields = {k: v for k, v in ROW_SCHEMA.items() if k not in ("p_adjusted", "verdict", "note")}
    rows = with_verdicts(pl.DataFrame(records, schema=fields), correction, sign)
    order = pl.col("difference").fill_nan(None) * sign
    return rows.sort(order, descending=True, nulls_last=True, maintain_order=True), cells


def _cell_record(
    row: RowContrast,
    cell: CellContrast,
    over: Over,
    posters: PosterErrors | None,
    test_share: float,
) -> dict[str, Any]:
    of_posters = math.nan
    if posters is not None:
        of_posters = posters.cell(row.name, row.reference, cell.genre)
    error = combine_errors(over, (math.sqrt(cell.variance), usable_df(cell)), of_posters)
    if over == "rotations":
        error = rotation_error([cell], test_share)
    return {
        "name": row.name,
        "reference": row.reference,
        "genre": cell.genre,
        "pairs": cell.pairs,
        "value": cell.value,
        "reference_value": cell.reference_value,
        "difference": cell.difference,
        **interval_and_p(cell.difference, *error),
    }


def default_over(values: pl.DataFrame, noise: Noise) -> Over:
    """The question that a table answers best."""
    if "fold" in values.columns and values["fold"].n_unique() >= ENOUGH_ROTATIONS:
        return "rotations"
    return "runs" if noise.is_known else "genres"


def _mean_difference(
    row: RowContrast,
    over: Over,
    of_runs: tuple[float, float],
    posters: PosterErrors | None,
    test_share: float,
) -> dict[str, Any]:
    """The mean over genres with its interval, and the unit that it rests on."""
    d = [cell.difference for cell in row.cells]
    result: dict[str, Any] = {"difference": row.difference, "p_sign_flip": math.nan, "unit": ""}
    if len(d) >= ENOUGH_GENRES:
        result["p_sign_flip"] = sign_flip_p_value(d)
    if over == "genres":
        if len(d) < ENOUGH_GENRES:
            return result | interval_and_p(row.difference, math.nan, 0)
        se = float(np.std(d, ddof=1)) / math.sqrt(len(d))
        return result | {"unit": "genres"} | interval_and_p(row.difference, se, len(d) - 1)
    if over == "rotations":
        of_runs = rotation_error(row.cells, test_share)
    of_posters = math.nan
    if posters is not None:
        of_posters = posters.row(row.name, row.reference, [cell.genre for cell in row.cells])
    error = interval_and_p(row.difference, *combine_errors(over, of_runs, of_posters))
    unit = "" if math.isnan(error["p"]) else UNITS[over]
    return result | {"unit": unit} | error
