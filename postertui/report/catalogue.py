"""Every figure that has a name, and what draws it.

A figure that 2017 had none of is an entry in `TABLE_FIGURES`, or in `PREDICTION_FIGURES` of
`postertui.figures.probabilities` where it is drawn from the probabilities of single posters.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from postertui.figures.models import draw_models
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Hidden, Picture
from postertui.figures.probabilities import PREDICTION_FIGURES, draw_probabilities
from postertui.figures.published import draw_published, published_names
from postertui.figures.source import FigureSource
from postertui.system.errors import UserError


def draw_named(
    name: str, source: FigureSource, options: FigureOptions, runs_folder: Path | None = None
) -> Picture:
    """The figure of that name.

    Parameters
    ----------
    name
        One of `FIGURES`.
    source
        The table's rows.
    options
        Look and metric.
    runs_folder
        Holds the predictions of the table's runs; without it none can be drawn from them.

    Raises
    ------
    UserError
        For an unknown name or metric, and with exit code 3 where there is nothing to show.
    """
    if name not in FIGURES:
        raise UserError(f"figure `{name}`: there are {', '.join(FIGURES)}")
    options.check_columns(source.table.columns)
    if name in PREDICTION_FIGURES:
        return _draw_predictions(name, source, options, runs_folder)
    if name in TABLE_FIGURES:
        return TABLE_FIGURES[name](source, options)
    return draw_published(name, source, options)


def _draw_predictions(
    name: str, source: FigureSource, options: FigureOptions, runs_folder: Path | None
) -> Picture:
    """A figure of the predictions of the table's runs, in the table's order."""
    from postertui.predictions.loading import load_runs

    if runs_folder is None:
        raise UserError(
            f"figure {name}: is drawn from predictions, which a history table does not hold; name "
            "the runs folder with --runs"
        )
    names = source.table["run"].unique(maintain_order=True).to_list()
    runs, without = load_runs(runs_folder, names)
    return draw_probabilities(name, runs, options, without=len(without))


def _rank_models(source: FigureSource, options: FigureOptions) -> Picture:
    """The leaderboard of the last epoch that most runs reached."""
    from postertui.analysis.leaderboard import leaderboard
    from postertui.analysis.values import run_values

    metric = f"test_{options.metric}"
    board = leaderboard(source.table, metric)
    if board.genres.is_empty():
        raise UserError(f"figure models: no run has a {metric} to rank", exit_code=3)
    states = run_values(source.table, metric)["state"].value_counts(sort=True)
    hidden = [Hidden("Test", state, n) for state, n in states.iter_rows() if state != "ok"]
    return draw_models(
        source,
        board.genres,
        board.overall["name"].to_list(),
        options,
        hidden=hidden,
        notes=board.notes,
    )


#: The figures of a history table that 2017 had none of. A picture is called after its figure.
TABLE_FIGURES: dict[str, Callable[[FigureSource, FigureOptions], Picture]] = {
    "models": _rank_models,
}

#: The fifteen of 2017, which are those of `--all`, and all others.
FIGURES = (*published_names(), *TABLE_FIGURES, *PREDICTION_FIGURES)
