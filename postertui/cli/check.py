"""`postertui check`: a gate for continuous integration."""

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
from postertui.cli.formats import Format, format_option, print_sections
from postertui.cli.options import PATH
from postertui.system.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from postertui.analysis.tables.section import Section


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
    type=PATH,
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
    from postertui.analysis.requirements import check_requirement
    from postertui.analysis.tables.check import failures_only, requirement_section

    table = matching(load(source, runs), query)
    sections: list[Section] = []
    if against is not None:
        sections.append(_check_against(table, against, margin, metric, rule))
    if requirements:
        sections.append(
            requirement_section(
                [
                    check_requirement(table, r, genres=genres, names=names, rule=rule)
                    for r in requirements
                ]
            )
        )
    failures = sum(int(section.frame["failed"].sum()) for section in sections)
    if output in ("table", "md"):
        sections = [failures_only(section) for section in sections]
    print_sections(sections, output, {"failures": failures})
    click.echo("failed" if failures else "passed", err=True)
    return 1 if failures else 0


def _check_against(
    table: pl.DataFrame, against: Path, margin: float | str, metric: str | None, rule: str | int
) -> Section:
    from postertui.analysis.check import check_against
    from postertui.analysis.tables.check import against_section

    baseline = load(against, against).table
    # The published F is what both have where one of them lacks the soft F over the cohort.
    metric = metric or min(chosen_metric(table, None), chosen_metric(baseline, None), key=len)
    margin_or_noise = None if isinstance(margin, str) else margin
    report = check_against(table, baseline, metric=metric, margin=margin_or_noise, rule=rule)
    return against_section(report, f"Against {against}: {metric}")
