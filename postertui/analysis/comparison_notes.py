"""The notes that belong beside the rows of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

#: From this many genres on, the genres can be a sample.
ENOUGH_GENRES = 5


def equal_note(name: str, reference: str, equal: Mapping[str, str]) -> str:
    """What is said of a variant whose setting is the reference's; empty for another.

    Parameters
    ----------
    equal
        As `find_equal_variants` has it.
    """
    if equal.get(name) != equal.get(reference):
        return ""
    return f"the same setting as {reference}: what it differs by is noise"


def with_notes(rows: pl.DataFrame, values: pl.DataFrame, equal: Mapping[str, str]) -> pl.DataFrame:
    """`rows` with `note`: that two variants are the same, or why no genre could be compared.

    Parameters
    ----------
    rows
        Those of a comparison.
    values
        `run_values` of the genres compared.
    equal
        As `find_equal_variants` has it.
    """
    states: dict[str, dict[str, set[str]]] = {}
    for name, genre, state in values.select("name", "genre", "state").unique().iter_rows():
        states.setdefault(name, {}).setdefault(genre, set()).add(state)

    def note(row: dict[str, Any]) -> str:
        if row["genres"]:
            return equal_note(row["name"], row["reference"], equal)
        own, other = states.get(row["name"], {}), states.get(row["reference"], {})
        common = sorted(own.keys() & other.keys())
        if not common:
            return f"no genre in common with {row['reference']}"
        parts = []
        for name, genres in ((row["name"], own), (row["reference"], other)):
            lost = [genre for genre in common if "ok" not in genres[genre]]
            kinds = sorted({state for genre in lost for state in genres[genre]})
            if lost:
                where = "all genres in common" if len(lost) == len(common) else ", ".join(lost)
                parts.append(f"{name} is {' or '.join(kinds)} in {where}")
        return "; ".join(parts)

    notes = [note(row) for row in rows.select("name", "reference", "genres").iter_rows(named=True)]
    return rows.with_columns(note=pl.Series(notes, dtype=pl.String))


def lost_run_notes(values: pl.DataFrame) -> list[str]:
    """A sentence about settings of which some runs have a value and others have none."""
    settings = (
        values.group_by("name", "genre")
        .agg(pl.len(), lost=pl.col("state").ne("ok").sum())
        .filter(pl.col("lost").is_between(1, pl.col("len") - 1))
        .sort("name", "genre")
    )
    if settings.is_empty():
        return []
    named = [
        f"{name} in {genre} (without {lost} of {total})"
        for name, genre, total, lost in settings.head(5).iter_rows()
    ]
    more = f" and {settings.height - 5} more" if settings.height > 5 else ""
    return [
        f"Means are over the runs that are left where some are dead, undefined or short: "
        f"{', '.join(named)}{more}."
    ]


def unit_notes(rows: pl.DataFrame) -> list[str]:
    """What the intervals rest on, a sentence for each unit that occurs in the rows."""
    units = set(rows["unit"].to_list())
    notes = []
    if "runs" in units:
        notes.append(
            "Intervals: 95 %, from the noise between runs; they hold for these genres and this "
            "test cohort."
        )
    if "rotations" in units:
        notes.append(
            "Intervals: 95 %, over rotations of the cohorts, corrected for overlapping training "
            "sets (Nadeau and Bengio); they hold for these genres and other posters."
        )
    if "posters" in units:
        notes.append(
            "Intervals: 95 %, from a paired bootstrap over posters; they hold for these trained "
            "models."
        )
    if "runs and posters" in units:
        notes.append(
            "Intervals: 95 %, from the noise between runs and a paired bootstrap over posters "
            "together; they hold for these genres."
        )
    if "genres" in units:
        notes.append("Intervals: 95 %, Student's paired t over genres.")
    unsure = rows.filter((pl.col("unit") == "") & (pl.col("genres") > 0))
    if unsure.height:
        notes.append(
            f"Too little data where no verdict is given: train more seeds (--seeds 3), or "
            f"{ENOUGH_GENRES} genres or more."
        )
    if rows.filter(pl.col("genres") == 0).height:
        notes.append(
            "No difference where the two have no genre in which both have a value: see the note; "
            "more seeds would not help."
        )
    return notes
