"""The rows and cells of a comparison, from one number per run (`postertui.analysis.values`)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from postertui.analysis.comparison_errors import (
    ENOUGH_ROTATIONS,
    Over,
    combine_errors,
    rotation_error,
    row_error,
    usable_df,
)
from postertui.analysis.comparison_notes import (
    ENOUGH_GENRES,
)
from postertui.analysis.contrasts import (
    CellContrast,
    RowContrast,
    contrast_rows,
    setting_values,
)
from postertui.analysis.noise import Noise
from postertui.analysis.statistics import sign_flip_p_value
from postertui.analysis.verdicts import (
    Correction,
    add_verdicts,
    interval_and_p,
)

if TYPE_CHECKING:
    from postertui.analysis.posters import PosterErrors

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


def compare_values(
    values: pl.DataFrame,
    chosen: Sequence[tuple[str, str]],
    noise: Noise,
    correction: Correction = "holm",
    over: Over = "auto",
    *,
    sign: float = 1.0,
    genres: Collection[str] | None = None,
    shared_seeds: bool = True,
    posters: PosterErrors | None = None,
    test_share: float = 1.0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The comparison of one number per run (`run_values`): its rows and cells, best first.

    Parameters
    ----------
    values
        Those of the whole table.
    chosen
        Pairs of (name, reference).
    noise
        The noise of the whole table.
    sign
        -1 for a metric of which less is better.
    genres
        Those compared, by default all.
    shared_seeds
        Whether runs of one seed and different genres may share random numbers.
    posters
        The posters' errors, for `over` `posters` and `both`.
    test_share
        Test posters by training posters, for `over` `rotations`.
    """
    settings = setting_values(values)
    contrasts = contrast_rows(settings, chosen, noise, genres=genres, shared_seeds=shared_seeds)
    if genres is not None:
        values = values.filter(pl.col("genre").is_in(list(genres)))
    if over == "auto":
        over = default_over(values, noise)
    cells = compare_cells(
        contrasts, correction, over, sign=sign, posters=posters, test_share=test_share
    )
    states = {
        (name, state): count
        for name, state, count in values.group_by("name", "state").len().iter_rows()
    }
    verdicts: dict[tuple[str, str], list[str]] = {}
    for record in cells:
        verdicts.setdefault((record["name"], record["reference"]), []).append(record["verdict"])
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
                    row_error(row, settings.runs, noise, shared_seeds=shared_seeds),
                    posters,
                    test_share,
                ),
                **{v: own.count(v) for v in ("better", "worse", "undecided")},
                **{s: states.get((row.name, s), 0) for s in ("dead", "undefined", "short")},
            }
        )
    add_verdicts(records, correction, sign)
    fields = {name: kind for name, kind in ROW_SCHEMA.items() if name != "note"}
    order = pl.col("difference").fill_nan(None) * sign
    rows = pl.DataFrame(records, schema=fields).sort(
        order, descending=True, nulls_last=True, maintain_order=True
    )
    return rows, pl.DataFrame(cells, schema=CELL_SCHEMA)


def compare_cells(
    contrasts: Sequence[RowContrast],
    correction: Correction,
    over: Over,
    *,
    sign: float = 1.0,
    posters: PosterErrors | None = None,
    test_share: float = 1.0,
) -> list[dict[str, Any]]:
    """The cells of `compare_values` (`CELL_SCHEMA`), from its contrasts.

    Parameters
    ----------
    contrasts
        Every variant against the reference, genre by genre.
    correction, over
        Those of `compare_values`.
    sign
        1 where higher values are better, -1 where lower ones are.
    posters
        The posters' errors, for `over` `posters` and `both`.
    test_share
        Test posters by training posters, for `over` `rotations`.
    """
    records = [
        _cell_record(row, cell, over, posters, test_share)
        for row in contrasts
        for cell in row.cells
    ]
    add_verdicts(records, correction, sign)
    return records


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
