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
from postertui.cli.formats import FORMATS, OutputFormat, choose_format, print_sections
from postertui.cli.options import PATH
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postertui.analysis.check import Allowed
    from postertui.analysis.tables.section import Section
    from postertui.history.selection import History


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
            self.fail(f"{value!r} is not a margin; use auto or a number from 0", param, ctx)
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
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Settings of the reference that are not there are no failures.",
)
@click.option(
    "--allow",
    "patterns",
    multiple=True,
    metavar="VARIANT[/GENRE]",
    help="A setting whose failure is allowed; globs.",
)
@metric_option
@epoch_option
@choose_format((*FORMATS, "junit"))
def check_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    against: Path | None,
    margin: float | str,
    requirements: tuple[str, ...],
    genres: tuple[str, ...],
    names: tuple[str, ...],
    allow_missing: bool,
    patterns: tuple[str, ...],
    metric: str | None,
    rule: str | int,
    output: OutputFormat,
) -> int:
    """Fail (exit code 1) where a variant got worse than a reference, or misses a requirement.

    It fails closed: a setting of the reference that is missing, ended early, is undefined or died
    is a failure by name, unless --allow-missing or --allow names it. Where both sides have the
    same seeds, runs are compared in pairs. The table and Markdown say what failed and by how much;
    CSV, JSON and JUnit XML hold every row that was checked.
    """
    if against is None and not requirements:
        raise UserError("nothing to check; give --against TABLE or --require 'TERM > TERM'")
    from postertui.analysis.check import Allowed
    from postertui.analysis.requirements import check_requirement
    from postertui.analysis.tables.check import failures_only, requirement_section

    history = load(source, runs)
    table = matching(history, query)
    sections: list[Section] = []
    if against is not None:
        allowed = Allowed(allow_missing, patterns)
        sections.append(_check_against(history, against, query, margin, metric, rule, allowed))
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
    history: History,
    against: Path,
    query: Sequence[str],
    margin: float | str,
    metric: str | None,
    rule: str | int,
    allowed: Allowed,
) -> Section:
    from postertui.analysis.check import check_against
    from postertui.analysis.tables.check import against_section

    reference = load(against, against)
    text = " ".join(query)
    settings: set[tuple[str, str]] = set()
    for side in (history, reference):
        settings |= set(side.select(text).table.select("name", "genre").unique().iter_rows())
    table, baseline = history.table, reference.table
    # The published F is what both have where one of them lacks the soft F over the cohort.
    metric = metric or min(chosen_metric(table, None), chosen_metric(baseline, None), key=len)
    report = check_against(
        table,
        baseline,
        metric=metric,
        margin=None if isinstance(margin, str) else margin,
        rule=rule,
        allowed=allowed,
        settings=settings,
    )
    return against_section(report, f"Against {against}: {metric}")
