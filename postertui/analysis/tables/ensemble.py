"""The ensemble by genre as tables."""

from __future__ import annotations

from postertui.analysis.ensemble import Ensemble
from postertui.analysis.tables.section import Column, Section, number, text


def ensemble_sections(result: Ensemble) -> list[Section]:
    """Totals of the ensemble and of the best single variants, and the ensemble's choices."""
    cells = [Column(c.upper(), number(c, 0), right=True) for c in ("tp", "fp", "fn", "tn")]
    return [
        Section(
            "totals",
            "Ensemble by genre, next to the best single variants, on the test cohort",
            result.totals,
            [
                Column("model", text("model")),
                Column("chosen by", text("chosen_by")),
                Column("genres", text("genres"), right=True),
                Column("macro-F1", number("macro_f1"), right=True),
                *cells,
                Column("precision", number("precision"), right=True),
                Column("recall", number("recall"), right=True),
                Column("micro-F1", number("micro_f1"), right=True),
            ],
            result.notes,
        ),
        Section(
            "choices",
            "The ensemble's variant for each genre",
            result.choices,
            [
                Column("genre", text("genre")),
                Column("variant", text("name")),
                Column("training F", number("train_fscore"), right=True),
                Column("test F", number("test_fscore"), right=True),
            ],
        ),
    ]
