"""Rows of a check, and those of settings that were lost since the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

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


def blank_row(name: str, genre: str) -> dict[str, Any]:
    """A row of `AGAINST_SCHEMA` for a setting of which nothing is compared yet."""
    return dict.fromkeys(AGAINST_SCHEMA) | {
        "name": name,
        "genre": genre,
        "failed": False,
        "allowed": False,
        "why": "",
        "_variance": math.nan,
        "_df": 0.0,
    }


def add_lost(
    rows: Sequence[dict[str, Any]], now: pl.DataFrame, then: pl.DataFrame
) -> list[dict[str, Any]]:
    """The rows, and those of settings that are missing or of which more runs have no value."""
    by_setting = {(row["name"], row["genre"]): row for row in rows}
    present, before = _states(now), _states(then)
    for setting, counts in before.items():
        name, genre = setting
        row = by_setting.get(setting)
        if row is None:
            row = by_setting[setting] = blank_row(name, genre)
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


def _states(values: pl.DataFrame) -> dict[tuple[str, str], dict[str, int]]:
    states: dict[tuple[str, str], dict[str, int]] = {}
    for name, genre, state, count in values.group_by("name", "genre", "state").len().iter_rows():
        states.setdefault((name, genre), {})[state] = count
    return states
