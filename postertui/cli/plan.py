"""`postertui plan`: how many seeds a comparison needs, from measured noise."""

from __future__ import annotations

from pathlib import Path

import click

from postertui.cli.analysis_options import (
    chosen_metric,
    epoch_option,
    load,
    matching,
    metric_option,
    source_options,
)
from postertui.cli.formats import OutputFormat, format_option, print_sections
from postertui.system.errors import UserError


@click.command("plan")
@source_options
@click.option(
    "--detect",
    type=click.FloatRange(0, 1, min_open=True),
    required=True,
    help="The difference to be seen, e.g. .01.",
)
@click.option("--genre", "genres", multiple=True, help="A genre or a glob; all by default.")
@click.option(
    "--power",
    type=click.FloatRange(0.05, 0.999),
    default=0.8,
    show_default=True,
    help="The chance to see it.",
)
@click.option(
    "--comparisons",
    type=click.IntRange(1),
    help="How many variants are compared with one; by default all of the table but one.",
)
@metric_option
@epoch_option
@format_option
def plan_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    detect: float,
    genres: tuple[str, ...],
    power: float,
    comparisons: int | None,
    metric: str | None,
    rule: str | int,
    output: OutputFormat,
) -> None:
    """Say how many seeds each comparison needs, and how long they take.

    The noise between runs is that of the table, which must have seeds of some setting. FILTER and
    --genre say which variants and genres the plan is for.
    """
    import polars as pl

    from postertui.analysis.measured_runs import measure_runs
    from postertui.analysis.planning import Question, plan_seeds
    from postertui.analysis.requirements import choose_by_glob
    from postertui.analysis.tables.planning import planning_section
    from postertui.analysis.values import genres_share_seeds

    history = load(source, runs)
    table = history.table
    chosen = choose_by_glob(matching(history, query), genres, ())
    metric = chosen_metric(table, metric)
    noise = measure_runs(table, metric, rule).noise
    if not noise.is_known:
        raise UserError(f"nothing to plan with. {noise.line}", exit_code=3)
    variants = chosen["name"].n_unique()
    question = Question(detect, power, comparisons or max(1, variants - 1))
    run_seconds = chosen.drop_nulls("seconds").group_by("run").agg(pl.sum("seconds"))
    seconds = run_seconds["seconds"].median()
    rows = plan_seeds(
        noise,
        chosen["genre"].unique().sort().to_list(),
        question,
        variants=question.comparisons + 1,
        seconds_per_run=seconds if isinstance(seconds, float) else None,
    )
    if rows.is_empty():
        raise UserError(
            "nothing to plan with: in these genres the runs of a setting do not differ, or their "
            "noise is unknown",
            exit_code=3,
        )
    print_sections(
        [planning_section(rows, question, noise, shared_seeds=genres_share_seeds(table))], output
    )
