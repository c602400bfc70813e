"""`postertui diagnose`, `leaderboard`, `bars` and `ensemble`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from postertui.cli.analysis_options import (
    chosen_metric,
    epoch_option,
    load,
    matching,
    metric_option,
    source_options,
)
from postertui.cli.formats import (
    Column,
    Format,
    Section,
    format_option,
    interval,
    number,
    print_sections,
    text,
)


@click.command("diagnose")
@source_options
@format_option
def diagnose_command(
    query: tuple[str, ...], runs: Path, source: Path | None, output: Format
) -> None:
    """Say what went wrong in which run, since when, and what to try."""
    table = matching(load(source, runs), query)
    print_sections([diagnosis_section(table), undefined_section(table)], output)


def diagnosis_section(table: Any) -> Section:
    """The findings of every run of a table."""
    from postertui.analysis.diagnosis import KINDS, diagnose_table
    from postertui.analysis.values import dead_rows

    findings = diagnose_table(table)
    counts = dict(findings["kind"].value_counts().iter_rows())
    total, well = table["run"].n_unique(), table["run"].n_unique() - findings["run"].n_unique()
    dead = table.filter(dead_rows(table)).height
    summary = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if kind in counts)
    return Section(
        "findings",
        "Diagnosis",
        findings,
        [
            Column("genre", text("genre")),
            Column("variant", text("name")),
            Column("finding", text("kind")),
            Column("since", text("since_epoch"), right=True),
            Column("what", text("line")),
            Column("try", text("advice")),
        ],
        [
            f"{total} runs: {summary or 'no finding'}; {well} without a finding.",
            f"{dead} of {table.height} epochs come from dead models.",
        ],
    )


def undefined_section(table: Any) -> Section:
    """Why test F is undefined, counted."""
    from postertui.analysis.undefined import undefined_causes

    causes = undefined_causes(table)["cause"].value_counts(name="epochs").sort("cause")
    return Section(
        "undefined",
        "Epochs without a test F",
        causes,
        [Column("cause", text("cause")), Column("epochs", text("epochs"), right=True)],
    )


@click.command("leaderboard")
@source_options
@metric_option
@epoch_option
@click.option("--top", type=click.IntRange(1), help="Only so many variants of each genre.")
@format_option
def leaderboard_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    metric: str | None,
    rule: str | int,
    top: int | None,
    output: Format,
) -> None:
    """Rank the variants, overall and per genre; a lead within noise is a tie (*)."""
    table = matching(load(source, runs), query)
    print_sections(leaderboard_sections(table, chosen_metric(table, metric), rule, top), output)


def leaderboard_sections(
    table: Any, metric: str, rule: str | int, top: int | None = None
) -> list[Section]:
    """The overall ranking and the ranking of each genre."""
    import polars as pl

    from postertui.analysis.leaderboard import lead_summary, leaderboard

    board = leaderboard(table, metric, rule)
    genres = board.genres if top is None else board.genres.filter(pl.col("rank") <= top)
    shared = [
        Column("rank", text("rank"), right=True),
        Column("", lambda row: "*" if row["best"] else ""),
        Column("variant", text("name")),
        Column("mean", number("mean"), right=True),
        Column("95 % interval", interval("low", "high", sign=False), right=True),
        Column("behind", number("behind"), right=True),
    ]
    return [
        Section(
            "overall",
            f"Overall: {metric}, mean over genres, adjusted for those a variant lacks",
            board.overall,
            [*shared, Column("genres", text("genres"), right=True)],
            [*board.notes, "* the best, or not to be told from it.", lead_summary(board)],
        ),
        Section(
            "genres",
            f"Genre by genre: {metric}",
            genres,
            [
                Column("genre", text("genre")),
                *shared,
                Column("sd", number("sd"), right=True),
                Column("n", text("n"), right=True),
            ],
        ),
    ]


@click.command("bars")
@source_options
@metric_option
@epoch_option
@click.option("--variant", default="base", show_default=True, help="Whose margins to show.")
@format_option
def bars_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    metric: str | None,
    rule: str | int,
    variant: str,
    output: Format,
) -> None:
    """Hold a variant against the bars: base rate and always-yes F of each genre."""
    table = matching(load(source, runs), query)
    print_sections(bars_sections(table, chosen_metric(table, metric), rule, variant), output)


def bars_sections(table: Any, metric: str, rule: str | int, variant: str) -> list[Section]:
    """The bars of each genre with one variant's margin, and what all variants say together."""
    import polars as pl

    from postertui.analysis.bars import bars, genre_verdicts, margins

    every = margins(table, metric, rule)
    own = every.filter(pl.col("name") == variant).drop("name", "bar")
    frame = bars(table, metric).join(own, on="genre", how="left")
    frame = frame.join(
        genre_verdicts(every).select("genre", any_model="verdict", best="best"),
        on="genre",
        how="left",
    )
    return [
        Section(
            "bars",
            f"Bars, and {variant}'s {metric} against them",
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
                "The bar is the higher of base rate and always-yes F, 2m/(1+m); measured is what "
                "runs that said yes to every poster reached in this metric, and goes first.",
                "Intervals add the cohort's sampling error to the noise of a run.",
            ],
        )
    ]


@click.command("ensemble")
@source_options
@epoch_option
@format_option
def ensemble_command(
    query: tuple[str, ...], runs: Path, source: Path | None, rule: str | int, output: Format
) -> None:
    """For each genre the variant with the best training F, next to the best single variant."""
    table = matching(load(source, runs), query)
    print_sections(ensemble_sections(table, rule), output)


def ensemble_sections(table: Any, rule: str | int) -> list[Section]:
    """Totals of the ensemble and of the best single variants, and the ensemble's choices."""
    from postertui.analysis.ensemble import ensemble

    result = ensemble(table, rule)
    cells = [Column(c.upper(), number(c, 0), right=True) for c in ("tp", "fp", "fn", "tn")]
    return [
        Section(
            "teams",
            "Ensemble by genre, next to the best single variants, on the test cohort",
            result.teams,
            [
                Column("who", text("who")),
                Column("chosen by", text("chosen_by")),
                Column("genres", text("genres"), right=True),
                Column("macro-F1", number("macro_f1"), right=True),
                *cells,
                Column("precision", number("precision"), right=True),
                Column("recall", number("recall"), right=True),
                Column("micro-F1", number("micro_f1"), right=True),
            ],
            result.notes,
        ),
        Section(
            "choices",
            "The ensemble's variant for each genre",
            result.choices,
            [
                Column("genre", text("genre")),
                Column("variant", text("name")),
                Column("training F", number("train_fscore"), right=True),
                Column("test F", number("test_fscore"), right=True),
            ],
        ),
    ]
