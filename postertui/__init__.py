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
    """The history table at a path: one row per epoch of each run.

    Parameters
    ----------
    path
        A runs folder, or a TSV, CSV or Parquet file.

    Returns
    -------
    polars.DataFrame
        The columns of `postertui.history.schema.SCHEMA`, then those of metrics that only some
        programs record; undefined values are null. Empty for a runs folder without a finished
        epoch.

    Raises
    ------
    postertui.system.errors.UserError
        Where there is neither, or the file is not a history table.
    """
    from postertui.history.selection import open_history

    return open_history(Path(path)).table


def log_run(genre: str, **settings: Any) -> LoggedRun:
    """Begin a run that this program trains and writes: `with log_run("Comedy") as run: …`.

    Parameters
    ----------
    genre
        What is learned.
    **settings
        `variant`, `seed`, `runs`, `epochs`, `study`, `hyperparameters`, `base_rates`, `validation`
        and `resume`, as `postertui.recorder.LoggedRun` describes them.

    Returns
    -------
    postertui.recorder.LoggedRun
        A context manager; `run.epoch({"loss": 0.4, "val_loss": 0.5})` records an epoch.

    Raises
    ------
    postertui.system.errors.UserError
        Where the runs folder cannot be written, or a setting is none.
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
