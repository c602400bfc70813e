"""`postertui compare`: variants held against each other, with the noise in view."""

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
from postertui.cli.formats import (
    Column,
    Format,
    Section,
    format_option,
    interval,
    number,
    p_value,
    print_sections,
    text,
)

if TYPE_CHECKING:
    import polars as pl

    from postertui.analysis.compare import Comparison, Over
    from postertui.analysis.pairs import Correction


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
    type=click.Choice(["auto", "runs", "genres"]),
    default="auto",
    show_default=True,
    help="What the intervals are about: these genres trained again (runs), or other genres "
    "(genres). auto takes runs where the noise between runs is known.",
)
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
    by_genre: bool,
    output: Format,
) -> None:
    """Compare variants with base, or with any other, with the noise in view.

    FILTER says which variants and genres, e.g. `variant:l2-*` or `genre:comedy,drama`; the
    variant that they are compared with always stays. The mean difference comes with a 95 %
    interval, and a verdict after correcting for the number of comparisons.
    """
    from postertui.analysis.compare import compare

    table = load(source, runs)
    chosen = matching(table, query)
    names = chosen["name"].unique().sort().to_list()
    result = compare(
        without_unchosen(table, chosen),
        names=names,
        genres=chosen["genre"].unique().to_list(),
        against=None if all_pairs else against,
        metric=chosen_metric(table, metric),
        rule=rule,
        correction=correction,
        over=over,
    )
    print_sections(comparison_sections(result, by_genre), output, comparison_facts(result))


def without_unchosen(table: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """The table without those runs of the chosen variants and genres that were not chosen.

    All else stays: the reference, and what the noise may have to come from.
    """
    import polars as pl

    settings = chosen.select("name", "genre").unique().with_columns(_chosen=True)
    table = table.join(settings, on=["name", "genre"], how="left", maintain_order="left")
    run = pl.col("run").is_in(chosen["run"].unique().to_list())
    return table.filter(run | pl.col("_chosen").is_null()).drop("_chosen")


def comparison_sections(result: Comparison, by_genre: bool) -> list[Section]:
    """The comparison as tables: variants, and every genre of theirs if asked for."""
    several = result.rows["reference"].n_unique() > 1
    reference = [Column("against", text("reference"))] if several else []
    against = "each other" if several else result.rows["reference"][0]
    rows = Section(
        "variants",
        f"Variants against {against}: difference in {result.metric}",
        result.rows,
        [
            Column("variant", text("name")),
            *reference,
            Column("mean", number("difference", sign=True), right=True),
            Column("95 % interval", interval("low", "high"), right=True),
            Column("p", p_value("p_adjusted"), right=True),
            Column("verdict", text("verdict")),
            Column("better/worse/undecided", _counts, right=True),
            Column("not compared", _not_compared),
            Column("note", text("note")),
        ],
        result.notes,
    )
    if not by_genre:
        return [rows]
    cells = Section(
        "genres",
        f"Genre by genre: {result.metric}",
        result.cells,
        [
            Column("variant", text("name")),
            *reference,
            Column("genre", text("genre")),
            Column("pairs", text("pairs"), right=True),
            Column("value", number("value"), right=True),
            Column("reference", number("reference_value"), right=True),
            Column("difference", number("difference", sign=True), right=True),
            Column("95 % interval", interval("low", "high"), right=True),
            Column("p", p_value("p_adjusted"), right=True),
            Column("verdict", text("verdict")),
        ],
    )
    # CSV prints the first section only, and asking for genres means wanting them.
    return [cells, rows]


def comparison_facts(result: Comparison) -> dict[str, Any]:
    """What JSON says about the comparison besides its rows."""
    noise = result.noise
    return {
        "metric": result.metric,
        "epoch": result.rule,
        "correction": result.correction,
        "noise": {
            "source": noise.source,
            "sd_per_run": noise.sd if noise.known else None,
            "degrees_of_freedom": noise.df,
            "settings": list(noise.settings),
        },
    }


def _counts(row: Any) -> str:
    return f"{row['better']}/{row['worse']}/{row['undecided']}"


def _not_compared(row: Any) -> str:
    kinds = ("dead", "undefined", "short")
    return ", ".join(f"{row[kind]} {kind}" for kind in kinds if row[kind])
