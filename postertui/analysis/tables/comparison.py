"""A comparison of variants as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from postertui.analysis.tables.section import Column, Section, interval, number, p_value, text

if TYPE_CHECKING:
    from postertui.analysis.compare import Comparison
    from postertui.analysis.mcnemar import McNemar


def comparison_sections(result: Comparison, by_genre: bool) -> list[Section]:
    """The comparison as tables: variants, and every genre of theirs if asked for."""
    several = result.rows["reference"].n_unique() > 1
    reference = [Column("against", text("reference"))] if several else []
    against = "each other" if several else result.rows["reference"][0]
    corrected = {"holm": "p (Holm)", "bh": "p (BH)", "none": "p (as it is)"}[result.correction]
    rows = Section(
        "variants",
        f"Variants against {against}: difference in {result.metric}",
        result.rows,
        [
            Column("variant", text("name")),
            *reference,
            Column("mean", number("difference", sign=True), right=True),
            Column("95 % interval", interval("low", "high"), right=True),
            Column("p", p_value("p"), right=True),
            Column(corrected, p_value("p_adjusted"), right=True),
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
            Column("p", p_value("p"), right=True),
            Column(corrected, p_value("p_adjusted"), right=True),
            Column("verdict", text("verdict")),
        ],
    )
    # CSV prints the first section only, and asking for genres means wanting them.
    return [cells, rows]


def mcnemar_section(tests: Mapping[tuple[str, str], McNemar], reference: str) -> Section:
    """McNemar's tests of variants against the reference, genre by genre."""
    rows = [
        {"name": name, "genre": genre, "posters": t.posters, "rotations": t.rotations}
        | {"only_first": t.only_first, "only_second": t.only_second, "p": t.p}
        for (name, genre), t in tests.items()
    ]
    runs = "One run of each, of the lowest common seed"
    if any(t.rotations > 1 for t in tests.values()):
        runs += " of each rotation; a poster in several is decided by its mean probability"
    return Section(
        "mcnemar",
        f"McNemar: posters that only one of two models gets right, against {reference}",
        pl.DataFrame(rows),
        [
            Column("variant", text("name")),
            Column("genre", text("genre")),
            Column("posters", text("posters"), right=True),
            Column("only variant", text("only_first"), right=True),
            Column(f"only {reference}", text("only_second"), right=True),
            Column("p", p_value("p"), right=True),
        ],
        [f"{runs}. At threshold .5; p is not corrected."],
    )


def _counts(row: Mapping[str, Any]) -> str:
    return f"{row['better']}/{row['worse']}/{row['undecided']}"


def _not_compared(row: Mapping[str, Any]) -> str:
    kinds = ("dead", "undefined", "short")
    return ", ".join(f"{row[kind]} {kind}" for kind in kinds if row[kind])
