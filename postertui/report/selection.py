"""Which rows of a history a request selects: the one answer for figures and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from postertui.analysis.repetition import without_copies
from postertui.figures.compare import match_variants
from postertui.figures.source import FigureSource, open_source
from postertui.report.request import ReportRequest
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.history.selection import History


@dataclass(frozen=True)
class SelectedRows:
    """The rows of a request.

    `matched` has the runs that the request's filter accepts. `variants` and `genres` are those
    that the request names, in order and spelled as in the table; empty means all of them.
    """

    matched: FigureSource
    variants: tuple[str, ...]
    genres: tuple[str, ...]

    @cached_property
    def narrowed(self) -> FigureSource:
        """`matched` without variants (base always stays) and genres that were not named."""
        import polars as pl

        table = self.matched.table
        if self.variants:
            table = table.filter(pl.col("name").is_in([*self.variants, self.matched.base.name]))
        if self.genres:
            table = table.filter(pl.col("genre").is_in(list(self.genres)))
        return replace(self.matched, table=table)


def select_rows(history: History, request: ReportRequest) -> SelectedRows:
    """The rows of `history` that `request` selects.

    A history that is there several times, number for number, is drawn once, except in strict
    figures, which draw what R drew.

    Raises
    ------
    UserError
        Exit code 3 where the history is empty, the filter accepts no run, or no run is of a
        variant or genre that the request names.
    """
    if history.table.is_empty():
        raise UserError("no finished epoch to draw", exit_code=3)
    table = history.table if request.options.strict else without_copies(history.table)
    source = open_source(table, history.variants)
    if request.filter.strip():
        runs = history.select(request.filter).table.select("run").unique()
        if runs.is_empty():
            raise UserError(f"no run with a finished epoch matches `{request.filter}`", exit_code=3)
        source = replace(source, table=source.table.join(runs, on="run", maintain_order="left"))
    variants = tuple(match_variants(source, request.variants))
    return SelectedRows(source, variants, _choose_genres(source, request.genres))


def _choose_genres(source: FigureSource, genres: Sequence[str]) -> tuple[str, ...]:
    spelling = {g.lower(): g for g in source.table["genre"].unique().to_list()}
    for genre in genres:
        if genre.lower() not in spelling:
            names = ", ".join(sorted(spelling.values()))
            raise UserError(f"--genre {genre}: no run of it; there are {names}", exit_code=3)
    return tuple(spelling[g.lower()] for g in genres)
