"""Train many small poster classifiers, watch them live, draw the figures.

For notebooks: `read_table(path)` gives the history table of a runs folder or a file, and
`draw(name, table)` one of the figures. For training scripts: `log_run(genre)` begins a run that the
dashboard shows live, and `postertui.keras.RunLogger` does the same for Keras. Importing this
package loads neither plotnine nor TensorFlow; each function imports what it needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from postertui.system.version import __version__

if TYPE_CHECKING:
    import plotnine
    import polars as pl

    from postertui.recorder import LoggedRun

__all__ = ["__version__", "draw", "log_run", "read_table"]


def read_table(path: str | Path) -> pl.DataFrame:
    """The history table at `path`: a row an epoch.

    Parameters
    ----------
    path
        A runs folder, or a TSV, CSV or Parquet file.

    Raises
    ------
    postertui.system.errors.UserError
        Where the file is not a history table.
    """
    from postertui.history.selection import open_history

    return open_history(Path(path)).table


def log_run(genre: str, **settings: Any) -> LoggedRun:
    """Begin a run that this program trains and writes: `with log_run("Comedy") as run: …`.

    `settings` and what the run does are described at `postertui.recorder.LoggedRun`.
    """
    from postertui.recorder import LoggedRun

    return LoggedRun(genre, **settings)


def draw(name: str, table: pl.DataFrame, strict: bool = False) -> plotnine.ggplot:
    """One of the figures, drawn from a history table.

    Parameters
    ----------
    name
        `base`, `l1`, `test-loss`, `models`, …
    table
        As `read_table` gives it.
    strict
        Draw exactly what R drew for the 2017 study; without it a figure may show more (isolated
        points, wrapped strips), never less.

    Raises
    ------
    postertui.system.errors.UserError
        For an unknown name, and where the table has nothing to show.
    """
    from postertui.report import draw_figure

    return draw_figure(name, table, strict=strict)
