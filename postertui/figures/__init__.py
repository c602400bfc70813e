"""Figures of histories: the fifteen of the 2017 study, and any other comparison.

A figure is prepared as plain data (`Picture`) and turned into a `plotnine.ggplot` only to be
drawn. This package is the only place that imports plotnine and matplotlib, and it does so only
in `postertui.figures.render` and what that imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from postertui.figures.catalogue import draw_published, figure_names
from postertui.figures.options import Options
from postertui.figures.source import open_source

if TYPE_CHECKING:
    import plotnine
    import polars as pl

__all__ = ["draw", "figure_names"]


def draw(name: str, table: pl.DataFrame, strict: bool = False, **options: Any) -> plotnine.ggplot:
    """The figure `name` of the 2017 study, drawn from a history table.

    `strict` draws exactly what R drew; without it a figure may show more, never less. `options`
    are those of `postertui.figures.options.Options`: `palette`, `baselines`, `seed_lines`,
    `metric`, `width`, `height`. Raises `UserError` for an unknown name or option, and where the
    table has nothing to show.
    """
    chosen = Options(strict=strict, **options)
    picture = draw_published(name, open_source(table), chosen)
    from postertui.figures.render import to_ggplot

    return to_ggplot(picture)
