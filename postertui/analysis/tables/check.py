"""The result of a check as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from postertui.analysis.check import CheckReport
from postertui.analysis.tables.section import Column, Section, interval, number, p_value, text


def failures_only(section: Section) -> Section:
    """The rows that failed; the number of those that passed becomes a note."""
    failed = section.frame.filter(pl.col("failed"))
    note = f"{section.frame.height - failed.height} of {section.frame.height} rows passed."
    return replace(section, frame=failed, notes=[*section.notes, note])


def against_section(report: CheckReport, title: str) -> Section:
    """A table compared with a reference table."""
    columns = [
        Column("variant", text("name")),
        Column("genre", text("genre")),
        Column("runs", text("runs"), right=True),
        Column("baseline", number("baseline"), right=True),
        Column("now", number("now"), right=True),
        Column("difference", number("difference", sign=True), right=True),
        Column("95 % interval", interval("low", "high"), right=True),
        Column("p", p_value("p"), right=True),
        Column("p (Holm)", p_value("p_adjusted"), right=True),
        Column("why", text("why")),
    ]
    return Section("against", title, report.rows, columns, report.notes)


def requirement_section(rows: Sequence[pl.DataFrame]) -> Section:
    """Settings compared with requirements, one frame of `check_requirement` for each of these."""
    columns = [
        Column("requirement", text("requirement")),
        Column("variant", text("name")),
        Column("genre", text("genre")),
        Column("left", number("left"), right=True),
        Column("right", number("right"), right=True),
        Column("why", text("why")),
    ]
    return Section("requirements", "Requirements", pl.concat(rows), columns)
