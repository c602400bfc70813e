"""What went wrong, as tables."""

from __future__ import annotations

import polars as pl

from postertui.analysis.diagnosis import diagnose_table
from postertui.analysis.findings import KINDS
from postertui.analysis.repetition import repeated_histories, repetition_notes
from postertui.analysis.row_states import dead_rows
from postertui.analysis.tables.section import Column, Section, text
from postertui.analysis.undefined import undefined_causes


def diagnosis_section(table: pl.DataFrame) -> Section:
    """The findings of every run of a table."""
    copies = repeated_histories(table)
    every = diagnose_table(table, copies)
    # A trend of a setting's seeds together is one finding, whatever the number of seeds.
    setting = ["genre", "name", "kind", "since_epoch", "line"]
    findings = every.with_columns(runs=pl.col("run").n_unique().over(setting)).unique(
        setting, keep="first", maintain_order=True
    )
    counts = dict(every.group_by("kind").agg(pl.col("run").n_unique()).iter_rows())
    total = table["run"].n_unique() - copies.height
    well = total - every["run"].n_unique()
    dead = table.select(dead_rows(table).sum()).item()
    summary = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if kind in counts)
    return Section(
        "findings",
        "Findings",
        findings,
        [
            Column("genre", text("genre")),
            Column("variant", text("name")),
            Column("runs", text("runs"), right=True),
            Column("finding", text("kind")),
            Column("since", text("since_epoch"), right=True),
            Column("what", text("line")),
            Column("try", text("advice")),
        ],
        [
            f"{total} runs: {summary or 'no finding'}; {well} without a finding.",
            f"{dead:,} of {table.height:,} epochs come from dead models.",
            *repetition_notes(table, copies),
        ],
    )


def undefined_section(table: pl.DataFrame) -> Section:
    """Why test F is undefined, counted."""
    causes = undefined_causes(table)["cause"].value_counts(name="epochs").sort("cause")
    return Section(
        "undefined",
        "Epochs without a test F",
        causes,
        [Column("cause", text("cause")), Column("epochs", text("epochs"), right=True)],
    )


def kinds_section(findings: pl.DataFrame) -> Section:
    """The findings counted by kind, each with one of its explanations and what to try."""
    kinds = (
        findings.group_by("kind")
        .agg(
            pl.sum("runs"),
            pl.col("genre").n_unique().alias("genres"),
            pl.col("since_epoch").median().cast(pl.Int64),
            pl.first("genre", "name", "line"),
            pl.col("advice").mode().sort().first(),
        )
        .sort(pl.col("kind").cast(pl.Enum(KINDS)))
    )
    return Section(
        "kinds",
        "Findings by kind",
        kinds,
        [
            Column("finding", text("kind")),
            Column("runs", text("runs"), right=True),
            Column("genres", text("genres"), right=True),
            Column("for example", lambda row: f"{row['genre']}, {row['name']}: {row['line']}"),
            Column("try", text("advice")),
        ],
    )
