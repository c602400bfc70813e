"""What the report page says, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postertui.analysis.compare import compare
from postertui.analysis.ensemble import ensemble
from postertui.analysis.leaderboard import lead_line, leaderboard
from postertui.analysis.measured_runs import MeasuredRuns, measure_runs
from postertui.analysis.summary import (
    baselines_line,
    dead_line,
    ensemble_line,
    undefined_line,
    verdict_line,
)
from postertui.analysis.tables.baselines import baselines_section, margins_section
from postertui.analysis.tables.comparison import comparison_sections
from postertui.analysis.tables.diagnosis import diagnosis_section, kinds_section, undefined_section
from postertui.analysis.tables.ensemble import ensemble_sections
from postertui.analysis.tables.leaderboard import leaderboard_sections
from postertui.analysis.tables.quality import quality_section
from postertui.analysis.tables.section import Section
from postertui.analysis.values import check_metric, default_metric, rule_line
from postertui.filters import Record
from postertui.report.page.posters import Gallery
from postertui.report.page.settings import settings_sections
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.system.text import pluralize

BASE = "base"


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page: its image file, and the CSV with its numbers beside it.

    `notes` say what it does not show.
    """

    name: str
    title: str
    image: Path
    csv: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """A part of the page.

    Parameters
    ----------
    folded
        Long tables: closed at first, left out of Markdown.
    command
        Prints them.
    galleries
        Rows of thumbnails, which Markdown leaves out as well.
    """

    key: str
    title: str
    tables: Sequence[Section]
    folded: Sequence[Section] = ()
    notes: Sequence[str] = ()
    command: str = ""
    galleries: Sequence[Gallery] = ()


@dataclass(frozen=True)
class Page:
    """All that a report page says. `provenance` are pairs of term and text."""

    title: str
    subtitle: str
    summary: Sequence[str]
    figures: Sequence[PageFigure]
    chapters: Sequence[Chapter]
    provenance: Sequence[tuple[str, str]]


def build_page(
    table: pl.DataFrame,
    *,
    title: str,
    figures: Sequence[PageFigure] = (),
    variants: Mapping[str, Variant] | None = None,
    provenance: Sequence[tuple[str, str]] = (),
    metric: str | None = None,
    rule: str | int = "last",
    posters: Chapter | None = None,
    records: Mapping[str, Record] | None = None,
    kept_bytes: Mapping[str, int] | None = None,
) -> Page:
    """The page of a history table. What the table has too little data for says so in its place.

    Parameters
    ----------
    table
        A history table with base rates (`postertui.history.schema.with_base_rates`).
    title
        The page's heading.
    figures
        Drawn figures to show, in this order.
    variants
        Hyper-parameters by name, where the caller has them; else they follow from the table.
    provenance
        Pairs of term and text: where it all comes from.
    metric, rule
        What is compared, at which epoch; without them what the table allows.
    posters
        The chapter of notable posters, where predictions are kept.
    records
        The runs' records by name (`Run.record`), of a runs folder.
    kept_bytes
        By run, the size of what it keeps on disk.

    Raises
    ------
    UserError
        For an unknown metric.
    """
    metric = metric or default_metric(table)
    check_metric(table, metric)
    measured = measure_runs(table, metric, rule)
    board = leaderboard(table, metric, rule, measured=measured)
    # Without base, the leader is the reference.
    names = table["name"].unique().sort().to_list()
    reference = BASE if BASE in names else (board.overall["name"].to_list() or names)[0]
    summary = [board.noise.line, lead_line(board)]
    chapters = [
        _compare_chapter(table, reference, rule, summary, measured),
        Chapter("leaderboard", "Leaderboard", *_split(leaderboard_sections(board))),
    ]
    quality = quality_section(table, records, kept_bytes)
    chapters.append(Chapter("quality", "Quality and cost", [quality]))
    if metric.startswith("test_fscore"):
        summary.append(baselines_line(table, metric, reference, rule, measured))
        chapters.append(
            Chapter(
                "bars",
                "Baselines",
                [baselines_section(table, metric, rule, reference, measured=measured)],
                [margins_section(table, metric, rule, measured=measured)],
            )
        )
    chapters.append(_ensemble_chapter(table, rule, summary))
    summary += [dead_line(table), undefined_line(table)]
    findings = diagnosis_section(table)
    tables = [kinds_section(findings.frame), undefined_section(table)]
    chapters.append(Chapter("diagnosis", "Diagnosis", tables, [findings]))
    if posters is not None:
        chapters.append(posters)
    chapters.append(Chapter("settings", "Settings", settings_sections(table, variants)))
    runs, genres = table["run"].n_unique(), table["genre"].n_unique()
    subtitle = (
        f"{pluralize(runs, 'run')} of {pluralize(len(names), 'variant')} and "
        f"{pluralize(genres, 'genre')}, {pluralize(table.height, 'epoch')}; "
        f"{metric} {rule_line(table, rule)}."
    )
    return Page(title, subtitle, [line for line in summary if line], figures, chapters, provenance)


def _compare_chapter(
    table: pl.DataFrame,
    reference: str,
    rule: str | int,
    summary: list[str],
    measured: MeasuredRuns,
) -> Chapter:
    metric = measured.metric
    try:
        result = compare(table, against=reference, metric=metric, rule=rule, measured=measured)
    except UserError as error:
        return Chapter("compare", "Comparison", [], notes=[f"{error}."])
    summary.append(verdict_line(result))
    cells, rows = comparison_sections(result, by_genre=True)
    return Chapter("compare", "Comparison", [rows], [cells])


def _ensemble_chapter(table: pl.DataFrame, rule: str | int, summary: list[str]) -> Chapter:
    try:
        result = ensemble(table, "last" if rule == "best" else rule)
    except UserError as error:
        return Chapter("ensemble", "Ensemble by genre", [], notes=[f"{error}."])
    summary.append(ensemble_line(result))
    return Chapter("ensemble", "Ensemble by genre", ensemble_sections(result))


def _split(sections: Sequence[Section]) -> tuple[Sequence[Section], Sequence[Section]]:
    return sections[:1], sections[1:]
