"""The baselines, and a variant compared with them, as a table."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from postertui.analysis.baselines import baselines, genre_verdicts, margins
from postertui.analysis.measured_runs import MeasuredRuns, measure_runs
from postertui.analysis.tables.section import Column, Section, interval, number, text
from postertui.system.errors import UserError


def baselines_section(
    table: pl.DataFrame,
    metric: str,
    rule: str | int,
    variant: str,
    runs: Collection[str] | None = None,
    measured: MeasuredRuns | None = None,
) -> Section:
    """The baselines of each genre, one variant's margin, and the verdict over all variants.

    Parameters
    ----------
    table
        A history table with base rates.
    metric, rule
        Which F-score, at which epoch.
    variant
        Whose margins are shown.
    runs
        The names of the runs to show, by default all.
    measured
        The table's `measure_runs` of metric and rule; None to measure here.

    Raises
    ------
    UserError
        With exit code 3 where no run is of that variant.
    """
    names = table["name"].unique().sort().to_list()
    if variant not in names:
        raise UserError(
            f"no variant {variant!r} in the table; it has {', '.join(names)}; "
            "choose one of them: --variant NAME",
            exit_code=3,
        )
    if measured is None:
        measured = measure_runs(table, metric, rule)
    every = margins(table, metric, rule, measured, runs=runs)
    own = every.filter(pl.col("name") == variant).drop("name", "baseline")
    frame = baselines(table, metric)
    if runs is not None:
        genres = table.filter(pl.col("run").is_in(list(runs)))["genre"].unique()
        frame = frame.filter(pl.col("genre").is_in(genres.to_list()))
    frame = frame.join(own, on="genre", how="left")
    frame = frame.join(
        genre_verdicts(every).select("genre", any_model="verdict", best="best"),
        on="genre",
        how="left",
    )
    return Section(
        "bars",
        f"Baselines, and {variant}'s {metric} against them",
        frame,
        [
            Column("genre", text("genre")),
            Column("posters", text("test_posters"), right=True),
            Column("base rate", number("base_rate"), right=True),
            Column("always-yes F", number("always_yes"), right=True),
            Column("95 %", interval("always_yes_low", "always_yes_high", False), right=True),
            Column("measured", number("measured_always_yes"), right=True),
            Column(variant, number("value"), right=True),
            Column("margin", number("margin", sign=True), right=True),
            Column("95 % interval", interval("low", "high"), right=True),
            Column("verdict", text("verdict")),
            Column("any variant", text("any_model")),
        ],
        [
            "The baseline is the higher of the base rate m and the F of the all-positive baseline "
            "(always-yes), 2m/(1+m); measured is what runs that predicted yes for every poster "
            "reached in this metric, and takes precedence.",
            "Intervals add the cohort's sampling error to the noise of a run."
            if measured.noise.is_known
            else "Intervals are the cohort's sampling error alone, of these very models: what "
            "training again would change is unknown; train more seeds.",
        ],
    )


def margins_section(
    table: pl.DataFrame,
    metric: str,
    rule: str | int,
    runs: Collection[str] | None = None,
    measured: MeasuredRuns | None = None,
) -> Section:
    """Every variant of every genre compared with the genre's baseline; see `baselines_section`.

    Parameters
    ----------
    table
        The history table.
    metric
        The column of an F-score.
    rule
        `last`, `end`, `best`, or the number of an epoch.
    runs
        The names of the runs to show, by default all.
    measured
        The table's `measure_runs` of metric and rule; None to measure here.
    """
    frame = margins(table, metric, rule, measured, runs=runs)
    counts = dict(frame["verdict"].value_counts().iter_rows())
    summary = ", ".join(f"{counts.get(v, 0)} {v}" for v in ("above", "unclear", "below"))
    return Section(
        "margins",
        f"Every variant against the baseline: {metric}",
        frame,
        [
            Column("genre", text("genre")),
            Column("variant", text("name")),
            Column("value", number("value"), right=True),
            Column("n", text("n"), right=True),
            Column("baseline", number("baseline"), right=True),
            Column("margin", number("margin", sign=True), right=True),
            Column("95 % interval", interval("low", "high"), right=True),
            Column("verdict", text("verdict")),
        ],
        [f"Of {frame.height} settings: {summary}."],
    )
