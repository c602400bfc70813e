"""Train many small poster classifiers, watch them live, draw the figures.

For notebooks: `read_table(path)` gives the history table of a runs folder or a file, and
`draw(name, table)` one of the figures. Importing this package loads neither plotnine nor
TensorFlow; both functions import what they need when they are called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from postertui.system.version import __version__

if TYPE_CHECKING:
    import plotnine
    import polars as pl

__all__ = ["__version__", "draw", "read_table"]


def read_table(path: str | Path) -> pl.DataFrame:
    """The history table at `path`: a runs folder, or a TSV, CSV or Parquet file.

    Raises `postertui.system.errors.UserError` where the file is not a history table.
    """
    from postertui.history.selection import open_history

    return open_history(Path(path)).table


def draw(name: str, table: pl.DataFrame, strict: bool = False) -> plotnine.ggplot:
    """The figure `name` (`base`, `l1`, `test-loss`, `models`, …) drawn from a history table.

    `strict` draws exactly what R drew for the 2017 study; without it a figure may show more
    (isolated points, wrapped strips), never less. Raises `postertui.system.errors.UserError` for an
    unknown name, and where the table has nothing to show.
    """
    from postertui.report import draw_figure

    return draw_figure(name, table, strict=strict)
