"""`postertui diagnose`, `leaderboard` and `bars`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.cli.analysis_options import (
    chosen_metric,
    epoch_option,
    load,
    matching,
    metric_option,
    source_options,
)
from postertui.cli.ensemble import add_ensembles, ensemble_option
from postertui.cli.formats import OutputFormat, format_option, print_sections

if TYPE_CHECKING:
    from postertui.history.selection import History


@click.command("diagnose")
@source_options
@format_option
def diagnose_command(
    query: tuple[str, ...], runs: Path, source: Path | None, output: OutputFormat
) -> None:
    """Say what went wrong in which run, since when, and what to try."""
    from postertui.analysis.tables.diagnosis import diagnosis_section, undefined_section

    table = matching(load(source, runs), query)
    print_sections([diagnosis_section(table), undefined_section(table)], output)


@click.command("leaderboard")
@source_options
@metric_option
@epoch_option
@click.option("--top", type=click.IntRange(1), help="How many variants of each genre to list.")
@ensemble_option
@format_option
def leaderboard_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    metric: str | None,
    rule: str | int,
    top: int | None,
    ensembles: tuple[str, ...],
    output: OutputFormat,
) -> None:
    """Rank the variants, overall and per genre; a lead within noise is a tie (*).

    Below are other scores of each variant's models, and their cost.
    """
    from postertui.analysis.tables.answers import leaderboard_of_chosen

    history = add_ensembles(load(source, runs), ensembles)
    sections = leaderboard_of_chosen(
        history.table,
        matching(history, query),
        chosen_metric(history.table, metric),
        rule=rule,
        top=top,
        records=history.records,
        kept_bytes=sizes_of(history),
    )
    print_sections(sections, output)


def sizes_of(history: History) -> dict[str, int]:
    """Bytes of weights and predictions by run; empty where the history is a table's."""
    from postertui.runs.pruning import kept_bytes

    if history.folder is None:
        return {}
    return kept_bytes(history.folder, history.table["run"].unique())


@click.command("bars")
@source_options
@metric_option
@epoch_option
@click.option("--variant", default="base", show_default=True, help="Whose margins to show.")
@click.option("--every", is_flag=True, help="Every variant's margin in every genre.")
@format_option
def bars_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    metric: str | None,
    rule: str | int,
    variant: str,
    every: bool,
    output: OutputFormat,
) -> None:
    """Compare a variant with the baselines of each genre: base rate, always-yes F."""
    from postertui.analysis.tables.baselines import baselines_section, margins_section

    history = load(source, runs)
    chosen, table = matching(history, query)["run"].unique().to_list(), history.table
    metric = chosen_metric(table, metric)
    if every:
        print_sections([margins_section(table, metric, rule, chosen)], output)
    else:
        print_sections([baselines_section(table, metric, rule, variant, chosen)], output)
