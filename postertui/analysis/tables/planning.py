"""How many seeds comparisons need, as a table."""

from __future__ import annotations

import polars as pl

from postertui.analysis.noise import Noise
from postertui.analysis.planning import MAX_SEEDS, Question
from postertui.analysis.tables.section import Column, Section, number, text


def planning_section(
    rows: pl.DataFrame, question: Question, noise: Noise, *, shared_seeds: bool
) -> Section:
    """The rows of `plan_seeds`; `shared_seeds` as `values.genres_share_seeds` has it."""
    several = question.comparisons > 1
    corrected = [
        Column(f"seeds for {question.comparisons} comparisons", text("seeds_corrected"), right=True)
    ]
    return Section(
        "plan",
        f"Seeds to see a difference of {question.difference:g} with a power of "
        f"{question.power:.0%}",
        rows,
        [
            Column("genre", text("genre")),
            Column("noise of a run (sd)", number("sd"), right=True),
            Column("seeds for one comparison", text("seeds"), right=True),
            *(corrected if several else []),
            Column("runs", text("runs"), right=True),
            Column("hours, one at a time", number("hours", 1), right=True),
        ],
        [
            noise.line,
            "Seeds are those of each variant in each genre; two-sided t at 5 %"
            + (", Bonferroni for several comparisons." if several else "."),
            *(
                [
                    "The mean of all holds where genres have random numbers of their own (a study "
                    'with random_key = "seed-genre"); here they may share them.'
                ]
                if shared_seeds and rows.height > 1
                else []
            ),
            *(
                [f"Empty: more than {MAX_SEEDS:,} seeds."]
                if rows["seeds"].null_count() or rows["seeds_corrected"].null_count()
                else []
            ),
        ],
    )
