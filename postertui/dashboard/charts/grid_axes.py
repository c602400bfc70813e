"""The axes that the cells of a grid share: epochs by column, values by genre."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from postertui.dashboard.charts.axes import Range
from postertui.dashboard.charts.panel_cache import PanelCache
from postertui.dashboard.charts.panels import (
    Panel,
    reached_epoch,
    value_range,
)
from postertui.dashboard.state.arrangement import Arrangement, Key, cell_of
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions


class GridAxes:
    """Ranges of epochs and values; `epochs` is the widest of the columns'."""

    def __init__(self) -> None:
        self.epochs = (1, 2)
        self._reached: dict[str, int] = {}
        self._counts: Counter[int] = Counter()
        self._last: dict[Key, int] = {}
        self._epochs: dict[str, tuple[int, int]] = {}
        self._scales: dict[str, Range] = {}

    def fit_epochs(
        self, arrangement: Arrangement, runs: Mapping[str, RunView], options: ViewOptions
    ) -> None:
        """Fit the x range of each column.

        It goes to what most runs have reached, or further where the column has more.
        """
        self._reached = {name: reached_epoch(run) for name, run in runs.items()}
        self._counts = Counter(self._reached.values())
        self._last = {key: self._last_of(key, names) for key, names in arrangement.members.items()}
        self._fit_columns(options)

    def update_epochs(
        self, arrangement: Arrangement, changed: Mapping[str, RunView], options: ViewOptions
    ) -> bool:
        """Fit the x ranges again after some of the runs went on; whether one changed."""
        cells = set()
        for name, run in changed.items():
            reached, before = reached_epoch(run), self._reached.get(name)
            if reached == before:
                continue
            if before is not None:
                self._counts[before] -= 1
            self._counts[reached] += 1
            self._reached[name] = reached
            cells.add(cell_of(run, options))
        for key in cells & arrangement.members.keys():
            self._last[key] = self._last_of(key, arrangement.members[key])
        return bool(cells) and self._fit_columns(options)

    def _last_of(self, key: Key, names: Iterable[str]) -> int:
        """The last epoch that a cell has to show."""
        reached = [self._reached[name] for name in names if name in self._reached]
        if key[1] or not reached:
            return max(reached, default=0)
        # Of many curves in one cell, a single long one must not squeeze all the others.
        return sorted(reached)[-1 - len(reached) // 10]

    def _fit_columns(self, options: ViewOptions) -> bool:
        common = most_common_epoch(self._counts)
        last: dict[str, int] = {}
        for (_, column), epoch in self._last.items():
            last[column] = max(last.get(column, common), epoch)
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


def most_common_epoch(counts: Mapping[int, int]) -> int:
    """The epoch that most runs have reached, the later one where two are as common.

    Parameters
    ----------
    counts
        How many runs have reached which epoch; those that have reached none do not count.
    """
    epochs = [epoch for epoch, count in counts.items() if epoch and count > 0]
    return max(epochs, key=lambda epoch: (counts[epoch], epoch), default=10)
