"""The grid as it is drawn: a little at a time, and only what changed sent to the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from textual import events
from textual.geometry import Region
from textual.timer import Timer

from postertui.dashboard.charts.cell import Row, difference
from postertui.dashboard.charts.highlights import highlight
from postertui.dashboard.state.arrangement import Arrangement, Key, cell_of
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.widgets.grid_lines import GridLines

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


#: Seconds of work after which others get their turn, and how long that is.
SLICE, PAUSE = 0.01, 0.002

#: While a key waits for its answer work waits, looking again so often, but no longer than this.
GIVE_WAY, PATIENCE = 0.02, 0.25


class GridCanvas(GridLines):
    """Small multiples on the Line API; `ChartGrid` adds moving about in them.

    Panels are made and cells are drawn in slices, only of what is in sight, so that keys are
    answered in between, however many runs there are; `has_pending_key` says that one was pressed
    just now.
    """

    def __init__(
        self,
        theme: ThemeStyles,
        *,
        ascii_only: bool = False,
        has_pending_key: Callable[[], bool] = lambda: False,
        readout: bool = True,
        id: str | None = None,
    ) -> None:
        super().__init__(theme, ascii_only=ascii_only, readout=readout, id=id)
        self._preferred: tuple[str, ...] = ()
        self._has_pending_key = has_pending_key
        self._dirty_cells: dict[Key, None] = {}
        self._next: Timer | None = None
        self._worked = 0.0

    # What is shown

    @property
    def is_at_work(self) -> bool:
        """Whether what is on the screen is not yet all that there is to show."""
        return self._next is not None

    def show(
        self, arrangement: Arrangement, runs: Mapping[str, RunView], options: ViewOptions
    ) -> None:
        """Show `runs` as `arrangement` lays them out."""
        self.viewport.arrangement, self.viewport.options = arrangement, options
        self.panels.use(arrangement, runs, options)
        self.axes.fit_epochs(arrangement, runs, options)
        self.highlights = highlight(arrangement.groups, self._preferred)
        self._stale_panels = set(arrangement.members)
        self._fits_scales = False
        self._repaint()

    def prefer(self, groups: Iterable[str]) -> None:
        """Have these compared values in full colour where there are too many for all."""
        self._preferred = tuple(groups)
        highlights = highlight(self.arrangement.groups, self._preferred)
        if highlights != self.highlights:
            self.highlights = highlights
            if not self.viewport.facet:
                self._invalidate([*self._drawn, *self.viewport.visible_keys()])
                self._do_later()

    def update_runs(self, changed: Mapping[str, RunView]) -> None:
        """New snapshots of shown runs that stay in their cells."""
        cells = {cell_of(run, self.options) for run in changed.values()}
        affected = cells & self.arrangement.members.keys()
        if self.axes.update_epochs(self.arrangement, changed, self.options):
            self._invalidate([*self._drawn, *self.viewport.visible_keys()])
        self._stale_panels.update(affected)
        self._invalidate(affected)
        self._do_later()

    # A little at a time

    def _work(self) -> None:
        """Do a slice of what there is to do at once, and the rest later."""
        self._do_slice()
        self._do_later()

    def _do_later(self) -> None:
        if self._next is None and (self._dirty_cells or not self._is_current):
            self._next = self.set_timer(PAUSE, self._continue)

    def _continue(self) -> None:
        self._next = None
        if self._has_pending_key() and time.monotonic() - self._worked < PATIENCE:
            self._next = self.set_timer(GIVE_WAY, self._continue)
            return
        self._work()

    def _do_slice(self) -> None:
        deadline = time.monotonic() + SLICE
        self._make(deadline)
        if self._is_current:
            self._redraw(self._visible_dirty_cells(), deadline)
        self._worked = time.monotonic()

    def _make(self, deadline: float) -> None:
        """Make the panels of the cells in sight again, then the axes that hold them all."""
        keys = self.viewport.visible_keys()
        for key in keys:
            if key in self._stale_panels:
                self._stale_panels.discard(key)
                self.panels[key]
                self._fits_scales = False
                if time.monotonic() > deadline:
                    return
        if not self._fits_scales:
            self._fits_scales = True
            changed = self.axes.fit_scales(keys, self.panels, self.options)
            drawn = [*self._drawn, *keys]
            self._invalidate(key for key in drawn if key[0] in changed)

    def _invalidate(self, keys: Iterable[Key]) -> None:
        """Have these cells drawn again, those out of sight when they come into it."""
        self._dirty_cells.update(dict.fromkeys(keys))

    def _visible_dirty_cells(self) -> list[Key]:
        """What is to be drawn now."""
        keys = [key for key in self.viewport.visible_keys() if key in self._dirty_cells]
        for key in self._dirty_cells.keys() - set(keys):
            self._drawn.pop(key, None)
        self._dirty_cells = dict.fromkeys(keys)
        return keys

    def _repaint(self) -> None:
        """Draw every cell in sight again; what was there stays until then."""
        before = self.viewport.tiling
        self.viewport.fit(self.size.width, self.size.height - self._has_readout)
        if (before.width, before.height) != (
            self.viewport.tiling.width,
            self.viewport.tiling.height,
        ):
            self._drawn.clear()
        self._invalidate([*self._drawn, *self.viewport.visible_keys()])
        self._compose_lines()
        self.refresh()
        self._work()

    def _scroll(self) -> None:
        """Show other cells of the same."""
        self._fits_scales = False
        self._invalidate(self.viewport.visible_keys())
        self._compose_lines()
        self.refresh()
        self._work()

    def on_resize(self, event: events.Resize) -> None:
        self._repaint()

    def _redraw(self, keys: Collection[Key], deadline: float = float("inf")) -> None:
        """Draw cells until the `deadline`, and send to the screen only what differs."""
        done: list[tuple[int, int, list[Row], list[Row]]] = []
        tiling, (top, left) = self.viewport.tiling, self.viewport.offset
        for row, column in self.viewport.visible_cells():
            key = self.viewport.key_at(row, column)
            if key is None or key not in keys:
                continue
            if done and time.monotonic() > deadline:
                break
            self._dirty_cells.pop(key, None)
            new = self._draw(key, row, column)
            old = self._drawn.get(key) or [self._blank] * len(new)
            self._drawn[key] = new
            x = (column - left) * (tiling.width + 1)
            done.append((x, self.viewport.top + (row - top) * tiling.height, old, new))
        regions = [
            Region(x + start, y + i, stop - start, 1)
            for x, y, old, new in done
            for i, (before, after) in enumerate(zip(old, new, strict=True))
            if before != after
            for start, stop in (difference(before, after),)
        ]
        # A cell can be higher than a very small terminal.
        for y in {region.y for region in regions if region.y < len(self.lines)}:
            self.lines[y] = self._line(y)
        if regions:
            self.refresh(*regions)
        if regions and not self._dirty_cells and self.lines:
            header = self._line(0)
            if header != self.lines[0]:
                self.lines[0] = header
                self.refresh(Region(0, 0, self.size.width, 1))
        if self.viewport.selected_key in keys:
            self._redraw_readout()
