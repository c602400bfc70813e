"""The axes that the cells of a grid share: epochs by column, values by genre."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from postertui.dashboard.charts.axes import Range
from postertui.dashboard.charts.panel_cache import PanelCache
from postertui.dashboard.charts.panels import (
    Panel,
    common_reached_epoch,
    reached_epoch,
    value_range,
)
from postertui.dashboard.state.arrangement import Arrangement, Key
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions


class GridAxes:
    """Ranges of epochs and values; `epochs` is the widest of the columns'."""

    def __init__(self) -> None:
        self.epochs = (1, 2)
        self._epochs: dict[str, tuple[int, int]] = {}
        self._scales: dict[str, Range] = {}

    def fit_epochs(
        self, arrangement: Arrangement, runs: Mapping[str, RunView], options: ViewOptions
    ) -> bool:
        """Fit the x range of each column; whether one changed.

        It goes to what most runs have reached, or further where the column has more.
        """
        common = common_reached_epoch(runs.values())
        last: dict[str, int] = {}
        for (_, column), names in arrangement.members.items():
            reached = [reached_epoch(runs[n]) for n in names if n in runs]
            if column:
                last[column] = max([last.get(column, common), *reached])
            else:
                # Of many curves in one cell, a single long one must not squeeze all the others.
                typical = sorted(reached)[-1 - len(reached) // 10] if reached else common
                last[column] = max(last.get(column, common), typical)
        first, last_chosen = options.first_epoch or 1, options.last_epoch
        before = self._epochs
        self._epochs = {
            column: (first, max(last_chosen or epoch, first + 1)) for column, epoch in last.items()
        }
        self.epochs = (first, max((e for _, e in self._epochs.values()), default=first + 1))
        return before != self._epochs

    def epochs_of(self, key: Key) -> tuple[int, int]:
        """First and last epoch on the x axis of a cell."""
        return self._epochs.get(key[1], self.epochs)

    def fit_scales(self, keys: Iterable[Key], panels: PanelCache, options: ViewOptions) -> set[str]:
        """Fit a y range for each genre to its cells `keys`; the genres whose range changed."""
        by_genre: dict[str, list[Panel]] = {}
        for key in keys:
            by_genre.setdefault(key[0], []).append(panels[key])
        scales = {genre: value_range(p, options) for genre, p in by_genre.items()}
        changed = {g for g, scale in scales.items() if self._scales.get(g) != scale}
        self._scales = scales
        return changed

    def scale_of(self, key: Key) -> Range:
        """The y range of a cell's genre."""
        return self._scales.get(key[0]) or Range(0.0, 1.0)
