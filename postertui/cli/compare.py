"""`postertui compare`: variants compared with each other, with the noise in view."""

from __future__ import annotations

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
from postertui.cli.formats import OutputFormat, format_option, print_sections
from postertui.cli.poster_errors import load_models, poster_errors

if TYPE_CHECKING:
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
    output: OutputFormat,
) -> None:
    """Compare variants with base, or with any other, with the noise in view.

    FILTER says which variants and genres, e.g. `variant:l2-*` or `genre:comedy,drama`; the
    variant that they are compared with always stays. The mean difference comes with a 95 %
    interval, and a verdict after correcting for the number of comparisons.
    """
    import polars as pl

    from postertui.analysis.tables.answers import comparison_of_chosen, without_unchosen
    from postertui.analysis.tables.comparison import comparison_sections, mcnemar_section
    from postertui.analysis.values import run_values

    history = add_ensembles(load(source, runs), ensembles)
    chosen, table = matching(history, query), history.table
    metric = chosen_metric(table, metric)
    reference = None if all_pairs else against
    errors, tests = None, {}
    reading_notes: list[str] = []
    if over in ("posters", "both"):
        from postertui.analysis.mcnemar import mcnemar_by_genre

        compared = without_unchosen(table, chosen, reference)
        values = run_values(compared, metric, rule).filter(
            pl.col("name").is_in([*chosen["name"].unique(), reference])
            & pl.col("genre").is_in(chosen["genre"].unique().to_list())
            & (pl.col("state") == "ok")
        )
        models = load_models(history.folder, values["run"])
        errors, text = poster_errors(table, values, models, metric)
        reading_notes.append(text)
        tests = {} if reference is None else mcnemar_by_genre(models, reference)
    result = comparison_of_chosen(
        table,
        chosen,
        metric,
        against=reference,
        rule=rule,
        correction=correction,
        over=over,
        posters=errors,
        notes=reading_notes,
    )
    sections = comparison_sections(result, by_genre)
    if tests and by_genre:
        sections.append(mcnemar_section(tests, against))
    print_sections(sections, output, comparison_facts(result))


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
