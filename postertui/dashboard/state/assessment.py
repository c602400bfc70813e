"""What is wrong with a run and what to try, in a few words.

The analysis itself is `postertui.analysis.diagnosis`; Polars is imported on the first assessment,
which belongs in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from postertui.system.text import to_single_line

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Assessment:
    """The diagnosis of the run `name` after `epoch` epochs: (problem, advice), worst first."""

    name: str
    epoch: int
    findings: tuple[tuple[str, str], ...] = ()


def has_cohort_facts(table: pl.DataFrame) -> bool:
    """Whether the base rates and sizes of all its cohorts follow from the table."""
    from postertui.analysis.cohorts import cohort_facts

    return not any(None in row for row in cohort_facts(table).iter_rows())


def assess(table: pl.DataFrame, name: str) -> Assessment:
    """Diagnose the run `name` of a history table.

    The table can have the runs of its variant and genre alone where they `has_cohort_facts`, else
    those of its genre.
    """
    import polars as pl

    from postertui.analysis.diagnosis import diagnose_table

    own = table.filter(pl.col("run") == name)
    if own.is_empty():
        return Assessment(name, 0)
    genre, epoch = own["genre"][0], int(own["epoch"].to_numpy().max())
    findings = diagnose_table(table.filter(pl.col("genre") == genre)).filter(pl.col("run") == name)
    return Assessment(
        name,
        epoch,
        tuple(
            (to_single_line(f["line"], 300), to_single_line(f["advice"], 300))
            for f in findings.to_dicts()
        ),
    )
