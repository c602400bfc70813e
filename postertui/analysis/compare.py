"""Variants against a reference: is the difference more than noise?

The unit. A test F of one genre is one number from one training on one cohort. Runs are paired over
genre and seed, so that what makes a genre hard, and what a seed does to both runs, cancels. The
mean difference of a variant is a mean over genres, each the mean over its seeds. Two questions can
be asked of it:

- over `runs`: would these genres come out the same if everything were trained again? The genres
  are taken as given, the noise between runs of one setting is the error, and Student's t has its
  degrees of freedom. The default wherever that noise is known (`postertui.analysis.noise`);
- over `genres`: would other genres come out the same? The genres are the sample: Student's paired
  t over five genres or more, as for classifiers over data sets in J. Demšar, "Statistical
  comparisons of classifiers over multiple data sets", JMLR 7, 2006. His choice of Wilcoxon's test
  cannot reach significance after correction with ten genres and twenty variants; an exact
  sign-flip p-value, which assumes symmetry only, stands beside the t instead.

With neither a known noise nor five genres there is too little data, and nothing is ranked.

Within one genre a difference is held against the noise of a difference: the spread of its own
paired seeds, or twice a run's variance where there is one seed, each drawn towards what all cells
have in common (Smyth's moderated t, see `statistics.squeeze_variances`).

All p-values of one question (the variants' means; every genre of every variant) are corrected
together, by Holm's procedure unless asked otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from postertui.analysis.noise import Noise, estimate_noise, find_equal_variants
from postertui.analysis.pairs import (
    CELL_SCHEMA,
    CORRECTIONS,
    Correction,
    DifferenceNoise,
    assess_cells,
    difference_noise,
    group_cells,
    interval_and_p,
    pair_runs,
    with_verdicts,
)
from postertui.analysis.statistics import sign_flip_p_value
from postertui.analysis.values import lower_is_better, resolve_rule, rule_line, run_values
from postertui.system.errors import UserError

__all__ = ["CELL_SCHEMA", "ENOUGH_GENRES", "ROW_SCHEMA", "Comparison", "compare"]

Over = Literal["auto", "runs", "genres"]

#: From this many genres on, the genres can be a sample.
ENOUGH_GENRES = 5

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
    """What `compare` found.

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
    pairs = pl.concat([pair_runs(values, a, b) for a, b in chosen])
    if genres is not None:
        pairs = pairs.filter(pl.col("genre").is_in(list(genres)))
        values = values.filter(pl.col("genre").is_in(list(genres)))
    groups = group_cells(pairs)
    spread = difference_noise(groups, noise)
    sign = -1.0 if lower_is_better(metric) else 1.0
    cells = assess_cells(groups, spread, correction, sign)
    if over == "auto":
        over = "runs" if spread.df else "genres"
    rows = _rows(chosen, cells, values, spread, equal, over)
    rows = with_verdicts(rows, correction, sign).select(*ROW_SCHEMA)
    order = pl.col("difference").fill_nan(None) * sign
    rows = rows.sort(order, descending=True, nulls_last=True, maintain_order=True)
    notes = (
        f"{metric} {rule_line(compared, rule)}.",
        noise.line,
        f"Correction for {len(chosen)} comparisons: {CORRECTIONS[correction]}."
        if len(chosen) > 1
        else "One comparison: nothing to correct for.",
        *_unit_notes(rows),
    )
    return Comparison(metric, rule, rows, cells, noise, correction, notes)


def _rows(
    chosen: list[tuple[str, str]],
    cells: pl.DataFrame,
    values: pl.DataFrame,
    spread: DifferenceNoise,
    equal: dict[str, str],
    over: Over,
) -> pl.DataFrame:
    states = {
        (name, state): count
        for name, state, count in values.group_by("name", "state").len().iter_rows()
    }
    by_pair = cells.partition_by("name", "reference", as_dict=True, include_key=False)
    rows: list[dict[str, Any]] = []
    for name, reference in chosen:
        own = by_pair.get((name, reference), cells.clear())
        note = ""
        if equal.get(name) == equal.get(reference):
            note = f"the same setting as {reference}: what it differs by is noise"
        verdicts = own["verdict"].to_list()
        rows.append(
            {
                "name": name,
                "reference": reference,
                "genres": own.height,
                "pairs": int(own["pairs"].sum()),
                **_mean_difference(own, spread, over),
                **{v: verdicts.count(v) for v in ("better", "worse", "undecided")},
                **{s: states.get((name, s), 0) for s in ("dead", "undefined", "short")},
                "note": note,
            }
        )
    fields = {k: v for k, v in ROW_SCHEMA.items() if k not in ("p_adjusted", "verdict")}
    return pl.DataFrame(rows, schema=fields)


def _mean_difference(cells: pl.DataFrame, spread: DifferenceNoise, over: Over) -> dict[str, Any]:
    """The mean over genres with its interval, and the unit that it rests on."""
    d = cells["difference"].to_numpy()
    mean = float(d.mean()) if d.size else math.nan
    result: dict[str, Any] = {"difference": mean, "p_sign_flip": math.nan, "unit": ""}
    if d.size >= ENOUGH_GENRES:
        result["p_sign_flip"] = sign_flip_p_value(d.tolist())
    if over == "genres" and d.size >= ENOUGH_GENRES:
        se = float(d.std(ddof=1)) / math.sqrt(d.size)
        return result | {"unit": "genres"} | interval_and_p(mean, se, d.size - 1)
    if over == "runs" and d.size and spread.df:
        # With the genres taken as given, the error of their mean is that of their cells.
        se = math.sqrt(spread.variance * float((1 / cells["pairs"]).sum())) / d.size
        return result | {"unit": "runs"} | interval_and_p(mean, se, spread.df)
    return result | interval_and_p(mean, math.nan, 1)


def _unit_notes(rows: pl.DataFrame) -> list[str]:
    units = set(rows["unit"].to_list())
    notes = []
    if "runs" in units:
        notes.append(
            "Intervals: 95 %, from the noise between runs; they hold for these genres and this "
            "test cohort."
        )
    if "genres" in units:
        notes.append("Intervals: 95 %, Student's paired t over genres.")
    if "" in units:
        notes.append(
            f"Too little data where no verdict is given: train more seeds (--seeds 3), or "
            f"{ENOUGH_GENRES} genres or more."
        )
    return notes
