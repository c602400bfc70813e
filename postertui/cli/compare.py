"""`postertui compare` and `postertui check`."""

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
from postertui.errors import UserError

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
        narrowed(table, chosen),
        names=names,
        against=None if all_pairs else against,
        metric=chosen_metric(table, metric),
        rule=rule,
        correction=correction,
        over=over,
    )
    print_sections(comparison_sections(result, by_genre), output, comparison_facts(result))


def narrowed(table: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """The chosen runs and, in their genres, all variants that were not chosen at all.

    The others stay because the noise may have to come from them.
    """
    import polars as pl

    kept = pl.col("run").is_in(chosen["run"].unique().to_list()) | ~pl.col("name").is_in(
        chosen["name"].unique().to_list()
    )
    return table.filter(kept & pl.col("genre").is_in(chosen["genre"].unique().to_list()))


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


class MarginType(click.ParamType["float | str"]):
    """`auto` (None) or a number that is not negative."""

    name = "auto|NUMBER"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        if value == "auto" or isinstance(value, float):
            return value  # type: ignore[no-any-return]
        try:
            margin = float(value)
        except ValueError:
            margin = -1.0
        if not 0 <= margin < float("inf"):
            self.fail(f"{value!r} is no margin; use auto or a number from 0", param, ctx)
        return margin


@click.command("check")
@source_options
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="The history table to be no worse than: .tsv, .csv, .parquet or a runs folder.",
)
@click.option(
    "--margin",
    type=MarginType(),
    default="auto",
    show_default=True,
    help="How much worse a mean may be; auto is the noise between runs of one setting.",
)
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar="'TERM > TERM'",
    help="What every setting must meet, e.g. 'test_fscore_soft > always_yes + 0.02'. Terms are "
    "metrics, always_yes, base_rate and numbers.",
)
@click.option("--genre", "genres", multiple=True, help="Genres that --require is about; globs.")
@click.option("--variant", "names", multiple=True, help="Variants that --require is about; globs.")
@metric_option
@epoch_option
@format_option
def check_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    against: Path | None,
    margin: float | str,
    requirements: tuple[str, ...],
    genres: tuple[str, ...],
    names: tuple[str, ...],
    metric: str | None,
    rule: str | int,
    output: Format,
) -> int:
    """Fail (exit code 1) where a variant got worse than a baseline, or misses a requirement.

    For continuous integration: the table says what and by how much.
    """
    if against is None and not requirements:
        raise UserError("nothing to check; give --against TABLE or --require 'TERM > TERM'")
    table = matching(load(source, runs), query)
    sections = []
    failures = 0
    if against is not None:
        section, failed = _against_section(table, against, margin, metric, rule)
        sections.append(section)
        failures += failed
    if requirements:
        section, failed = _requirement_section(table, requirements, genres, names, rule)
        sections.append(section)
        failures += failed
    print_sections(sections, output, {"failures": failures})
    click.echo("failed" if failures else "passed", err=True)
    return 1 if failures else 0


def _against_section(
    table: pl.DataFrame, against: Path, margin: float | str, metric: str | None, rule: str | int
) -> tuple[Section, int]:
    from postertui.analysis.gate import check_against

    baseline = load(against, against)
    metric = metric or min(chosen_metric(table, None), chosen_metric(baseline, None), key=len)
    report = check_against(
        table,
        baseline,
        metric=metric,
        margin=None if isinstance(margin, str) else margin,
        rule=rule,
    )
    columns = [
        Column("", lambda row: "FAILED" if row["failed"] else "ok"),
        Column("variant", text("name")),
        Column("genre", text("genre")),
        Column("runs", text("runs"), right=True),
        Column("baseline", number("baseline"), right=True),
        Column("now", number("now"), right=True),
        Column("difference", number("difference", sign=True), right=True),
        Column("95 % interval", interval("low", "high"), right=True),
        Column("p", p_value("p_adjusted"), right=True),
        Column("why", text("why")),
    ]
    title = f"Against {against}: {metric}"
    failed = int(report.rows["failed"].sum())
    return Section("against", title, report.rows, columns, report.notes), failed


def _requirement_section(
    table: pl.DataFrame,
    requirements: tuple[str, ...],
    genres: tuple[str, ...],
    names: tuple[str, ...],
    rule: str | int,
) -> tuple[Section, int]:
    import polars as pl

    from postertui.analysis.gate import check_requirement

    rows = pl.concat(
        check_requirement(table, r, genres=genres, names=names, rule=rule) for r in requirements
    )
    columns = [
        Column("", lambda row: "FAILED" if row["failed"] else "ok"),
        Column("requirement", text("requirement")),
        Column("variant", text("name")),
        Column("genre", text("genre")),
        Column("left", number("left"), right=True),
        Column("right", number("right"), right=True),
        Column("why", text("why")),
    ]
    return Section("requirements", "Requirements", rows, columns), int(rows["failed"].sum())
