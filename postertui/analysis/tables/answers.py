"""What `compare`, `leaderboard` and `bars` answer, for the commands and the dashboard's screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from postertui.analysis.compare import Comparison, compare
from postertui.analysis.leaderboard import lead_line_of, leaderboard
from postertui.analysis.measured_runs import measure_runs
from postertui.analysis.summary import baselines_line, dead_line
from postertui.analysis.tables.baselines import baselines_section
from postertui.analysis.tables.comparison import comparison_sections
from postertui.analysis.tables.leaderboard import leaderboard_sections
from postertui.analysis.tables.quality import quality_section
from postertui.analysis.tables.section import Section

if TYPE_CHECKING:
    from postertui.analysis.comparison_errors import Over
    from postertui.analysis.posters import PosterErrors
    from postertui.analysis.verdicts import Correction
    from postertui.filters import Record


def comparison_of_chosen(
    table: pl.DataFrame,
    chosen: pl.DataFrame,
    metric: str,
    *,
    against: str | None = "base",
    rule: str | int = "last",
    correction: Correction = "holm",
    over: Over = "auto",
    posters: PosterErrors | None = None,
    notes: Sequence[str] = (),
) -> Comparison:
    """Compare the variants of the `chosen` rows of `table`.

    Parameters
    ----------
    table
        A whole history table, from which the noise comes.
    chosen
        The rows of it that a filter accepts.
    metric, rule, correction, over, posters
        As `compare` has them.
    against
        The variant they are compared with; None for each pair.
    notes
        Sentences before those on the whole table: how close its winners are, how much of it is
        dead, and how the reference stands against its baselines.

    Raises
    ------
    UserError
        As `compare` does.
    """
    measured = measure_runs(table, metric, rule)
    kept = without_unchosen(table, chosen, against)
    result = compare(
        kept,
        names=chosen["name"].unique().sort().to_list(),
        genres=chosen["genre"].unique().to_list(),
        against=against,
        metric=metric,
        rule=rule,
        correction=correction,
        over=over,
        posters=posters,
        measured=measured if kept.height == table.height else None,
    )
    context = [lead_line_of(table, measured), dead_line(table)]
    if against is not None and metric.startswith("test_fscore"):
        context.append(baselines_line(table, metric, against, rule, measured))
    return replace(result, notes=(*result.notes, *notes, *filter(None, context)))


def leaderboard_of_chosen(
    table: pl.DataFrame,
    chosen: pl.DataFrame,
    metric: str,
    *,
    rule: str | int = "last",
    top: int | None = None,
    records: Mapping[str, Record] | None = None,
    kept_bytes: Mapping[str, int] | None = None,
) -> list[Section]:
    """The variants of the `chosen` rows of `table`, ranked, and what their models are worth.

    Parameters
    ----------
    table
        The whole history table: noise, epoch and metric are its own, whatever is chosen.
    chosen
        The rows of the runs to rank.
    metric
        The column to rank by.
    rule
        `last`, `end`, `best`, or the number of an epoch.
    top
        How many variants to list; None for all.
    records
        The runs by name as `Run.record` has them, for the seconds of a prediction; None without a
        runs folder.
    kept_bytes
        What weights and predictions take on disk, in bytes by run; None without a runs folder.
    """
    runs = chosen["run"].unique().to_list()
    sections = leaderboard_sections(leaderboard(table, metric, rule, runs=runs), top)
    quality = quality_section(table.filter(pl.col("run").is_in(runs)), records, kept_bytes)
    return [*sections, quality]


def answer(
    question: str,
    table: pl.DataFrame,
    chosen: pl.DataFrame,
    metric: str,
    *,
    variant: str = "base",
    records: Mapping[str, Record] | None = None,
    kept_bytes: Mapping[str, int] | None = None,
) -> list[Section]:
    """What a command prints of the `chosen` rows, with its own defaults for all else.

    Parameters
    ----------
    question
        The command: `compare`, `leaderboard` or `bars`.
    table
        A whole history table, from which the noise comes.
    chosen
        The rows of it that a filter accepts.
    metric
        What is compared.
    variant
        Whose margins `bars` shows.
    records, kept_bytes
        As `quality_section` has them.
    """
    if question == "compare":
        return comparison_sections(comparison_of_chosen(table, chosen, metric), by_genre=False)
    if question == "leaderboard":
        return leaderboard_of_chosen(table, chosen, metric, records=records, kept_bytes=kept_bytes)
    runs = chosen["run"].unique().to_list()
    return [baselines_section(table, metric, "last", variant, runs)]


def without_unchosen(
    table: pl.DataFrame, chosen: pl.DataFrame, reference: str | None
) -> pl.DataFrame:
    """The table without the runs that would be compared and were not chosen.

    The reference stays in a genre where none of its runs was chosen; so does all that is not
    compared, since the noise may have to come from it.

    Parameters
    ----------
    table
        The history table.
    chosen
        Those of its rows that a filter accepts.
    reference
        The name of the variant that others are compared with; None where every two are compared.
    """
    if chosen.height == table.height:
        return table
    settings = chosen.select("name", "genre").unique().with_columns(_chosen=True)
    table = table.join(settings, on=["name", "genre"], how="left", maintain_order="left")
    is_compared = (
        pl.col("name").is_in(chosen["name"].unique().to_list())
        & pl.col("genre").is_in(chosen["genre"].unique().to_list())
        & pl.col("name").ne_missing(pl.lit(reference))
    )
    is_chosen = pl.col("run").is_in(chosen["run"].unique().to_list())
    is_rival = is_compared | pl.col("_chosen").is_not_null()
    return table.filter(is_chosen | ~is_rival).drop("_chosen")
