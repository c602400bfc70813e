"""`postertui check`: a gate for continuous integration."""

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


class MarginType(click.ParamType[float | str]):
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

    For continuous integration: the table says what failed and by how much; CSV and JSON hold
    every row that was checked.
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
    if output in ("table", "md"):
        sections = [_failures_only(section) for section in sections]
    print_sections(sections, output, {"failures": failures})
    click.echo("failed" if failures else "passed", err=True)
    return 1 if failures else 0


def _failures_only(section: Section) -> Section:
    """People want to read what failed; how much did not is a sentence."""
    failed = section.frame.filter(section.frame["failed"])
    note = f"{section.frame.height - failed.height} of {section.frame.height} rows passed."
    return replace(section, frame=failed, notes=[*section.notes, note])


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
        Column("requirement", text("requirement")),
        Column("variant", text("name")),
        Column("genre", text("genre")),
        Column("left", number("left"), right=True),
        Column("right", number("right"), right=True),
        Column("why", text("why")),
    ]
    return Section("requirements", "Requirements", rows, columns), int(rows["failed"].sum())
