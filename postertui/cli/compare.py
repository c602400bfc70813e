"""`postertui compare`: variants held against each other, with the noise in view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from postertui.cli.formats import Format, format_option, print_sections
from postertui.cli.poster_errors import load_models, mcnemar_of_pairs, poster_errors

if TYPE_CHECKING:
    import polars as pl

    from postertui.analysis.compare import Comparison
    from postertui.analysis.comparison_errors import Over
    from postertui.analysis.verdicts import Correction


@click.command("compare")
@source_options
@click.option("--against", default="base", show_default=True, help="The variant to compare with.")
@click.option("--all-pairs", is_flag=True, help="Compare every variant with every other.")
@metric_option
@epoch_option
@click.option(
    "--correction",
    type=click.Choice(["holm", "bh", "none"]),
    default="holm",
    show_default=True,
    help="How to correct for the number of comparisons.",
)
@click.option(
    "--over",
    type=click.Choice(["auto", "runs", "posters", "both", "rotations", "genres"]),
    default="auto",
    show_default=True,
    help="What the intervals are about: these genres trained again (runs), these models on other "
    "posters (posters), both, other cohorts (rotations), or other genres (genres). auto takes "
    "rotations where there are three, else runs where the noise between runs is known.",
)
@ensemble_option
@click.option("--by-genre", is_flag=True, help="Show every genre of every variant.")
@format_option
def compare_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    against: str,
    all_pairs: bool,
    metric: str | None,
    rule: str | int,
    correction: Correction,
    over: Over,
    ensembles: tuple[str, ...],
    by_genre: bool,
    output: Format,
) -> None:
    """Compare variants with base, or with any other, with the noise in view.

    FILTER says which variants and genres, e.g. `variant:l2-*` or `genre:comedy,drama`; the
    variant that they are compared with always stays. The mean difference comes with a 95 %
    interval, and a verdict after correcting for the number of comparisons.
    """
    from postertui.analysis.compare import compare
    from postertui.analysis.leaderboard import lead_line, leaderboard
    from postertui.analysis.summary import baselines_line, dead_line
    from postertui.analysis.tables.comparison import comparison_sections, mcnemar_section
    from postertui.analysis.values import run_values

    history = add_ensembles(load(source, runs), ensembles)
    chosen, table = matching(history, query), history.table
    metric = chosen_metric(table, metric)
    errors, tests = None, {}
    reading_notes: list[str] = []
    if over in ("posters", "both"):
        compared = {*chosen["name"].unique().to_list(), *([] if all_pairs else [against])}
        models = load_models(history, compared)
        errors, text = poster_errors(history, run_values(table, metric, rule), models, metric)
        reading_notes.append(text)
        tests = {} if all_pairs else mcnemar_of_pairs(models, against)
    result = compare(
        without_unchosen(table, chosen, None if all_pairs else against),
        names=chosen["name"].unique().sort().to_list(),
        genres=chosen["genre"].unique().to_list(),
        against=None if all_pairs else against,
        metric=metric,
        rule=rule,
        correction=correction,
        over=over,
        posters=errors,
    )
    context = [lead_line(leaderboard(table, metric, rule)), dead_line(table)]
    if not all_pairs and metric.startswith("test_fscore"):
        context.append(baselines_line(table, metric, against, rule))
    result = replace(result, notes=(*result.notes, *reading_notes, *filter(None, context)))
    sections = comparison_sections(result, by_genre)
    if tests and by_genre:
        sections.append(mcnemar_section(tests, against))
    print_sections(sections, output, comparison_facts(result))


def without_unchosen(
    table: pl.DataFrame, chosen: pl.DataFrame, reference: str | None
) -> pl.DataFrame:
    """The table without the runs that would be compared and were not chosen.

    The reference stays in a genre where none of its runs was chosen; so does all that is not
    compared, since the noise may have to come from it.
    """
    import polars as pl

    settings = chosen.select("name", "genre").unique().with_columns(_chosen=True)
    table = table.join(settings, on=["name", "genre"], how="left", maintain_order="left")
    is_compared = (
        pl.col("name").is_in(chosen["name"].unique().to_list())
        & pl.col("genre").is_in(chosen["genre"].unique().to_list())
        & pl.col("name").ne_missing(pl.lit(reference))
    )
    is_chosen = pl.col("run").is_in(chosen["run"].unique().to_list())
    is_rival = is_compared | pl.col("_chosen").is_not_null()
    return table.filter(is_chosen | ~is_rival).drop("_chosen")


def comparison_facts(result: Comparison) -> dict[str, Any]:
    """What JSON says about the comparison besides its rows."""
    noise = result.noise
    return {
        "metric": result.metric,
        "epoch": result.rule,
        "correction": result.correction,
        "noise": {
            "source": noise.source,
            "sd_per_run": noise.sd if noise.is_known else None,
            "degrees_of_freedom": noise.df,
            "settings": list(noise.settings),
        },
    }
