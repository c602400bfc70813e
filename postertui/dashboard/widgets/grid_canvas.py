"""The grid as it is drawn: a little at a time, and only what changed sent to the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer

from postertui.dashboard.charts import captions
from postertui.dashboard.charts.axes import Range
from postertui.dashboard.charts.cell import PlotSettings, Row, difference, draw_cell
from postertui.dashboard.charts.panel_cache import PanelCache
from postertui.dashboard.charts.panels import (
    Panel,
    common_reached_epoch,
    reached_epoch,
    value_range,
)
from postertui.dashboard.charts.viewport import GridViewport
from postertui.dashboard.state.arrangement import Arrangement, Key
from postertui.dashboard.state.metrics import LOWER_IS_BETTER
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.widgets.line_widget import LineWidget

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


#: Seconds of work after which others get their turn, and how long that is.
SLICE, PAUSE = 0.01, 0.002

#: While a key waits for its answer work waits, looking again so often, but no longer than this.
GIVE_WAY, PATIENCE = 0.02, 0.25


class GridCanvas(LineWidget):
    """Small multiples on the Line API; `ChartGrid` adds moving about in them.

    PanelCache are made and cells are drawn in slices, so that keys are answered in between, however
    many runs there are; `has_pending_key` says that one was pressed just now.
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
        super().__init__(theme, id=id)
        self.ascii_only = ascii_only
        self._has_readout = readout
        self.viewport = GridViewport()
        self.panels = PanelCache()
        self.cursor: int | None = None
        self.scale = Range(0.0, 1.0)
        self.epochs = (1, 2)
        self._scales: dict[str, Range] = {}
        self._columns_epochs: dict[str, tuple[int, int]] = {}
        self.empty: tuple[str, ...] = ()
        self.verdict_of: Callable[[RunView], str] = lambda _: ""
        self._has_pending_key = has_pending_key
        self._stale_panels: dict[Key, None] = {}
        self._dirty_cells: dict[Key, None] = {}
        self._fit_scale = False
        self._drawn: dict[Key, list[Row]] = {}
        self._next: Timer | None = None
        self._worked = 0.0

    # What is shown

    @property
    def arrangement(self) -> Arrangement:
        return self.viewport.arrangement

    @property
    def options(self) -> ViewOptions:
        return self.viewport.options

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
        self._fit_epochs()
        self._stale_panels = dict.fromkeys(arrangement.members)
        self._fit_scale = True
        self._repaint()

    def update_runs(self, changed: Mapping[str, RunView]) -> None:
        """New snapshots of shown runs that stay in their cells."""
        affected = [
            key
            for key, names in self.arrangement.members.items()
            if not changed.keys().isdisjoint(names)
        ]
        before = self._columns_epochs
        self._fit_epochs()
        if before != self._columns_epochs:
            self._invalidate([*self._drawn, *self.viewport.visible_keys()])
        self._stale_panels.update(dict.fromkeys(affected))
        self._invalidate(affected)
        self._do_later()

    def _fit_epochs(self) -> None:
        """The x range of each column: what most runs have reached, or more where it has more."""
        runs = self.panels.runs
        common = common_reached_epoch(runs.values())
        last: dict[str, int] = {}
        for (_, column), names in self.arrangement.members.items():
            reached = [reached_epoch(runs[n]) for n in names if n in runs]
            if column:
                last[column] = max([last.get(column, common), *reached])
            else:
                # Of many curves in one cell, a single long one must not squeeze all the others.
                typical = sorted(reached)[-1 - len(reached) // 10] if reached else common
                last[column] = max(last.get(column, common), typical)
        first, asked = self.options.first_epoch or 1, self.options.last_epoch
        self._columns_epochs = {
            column: (first, max(asked or epoch, first + 1)) for column, epoch in last.items()
        }
        self.epochs = (first, max((e for _, e in self._columns_epochs.values()), default=first + 1))

    def epochs_of(self, key: Key) -> tuple[int, int]:
        """First and last epoch on the x axis of a cell."""
        return self._columns_epochs.get(key[1], self.epochs)

    # A little at a time

    def _work(self) -> None:
        """Do a slice of what there is to do at once, and the rest later."""
        self._do_slice()
        self._do_later()

    def _do_later(self) -> None:
        if self._next is None and (self._stale_panels or self._dirty_cells):
            self._next = self.set_timer(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._next = None
        if self._has_pending_key() and time.monotonic() - self._worked < PATIENCE:
            self._next = self.set_timer(GIVE_WAY, self._go_on)
            return
        self._work()

    def _do_slice(self) -> None:
        deadline = time.monotonic() + SLICE
        self._make(deadline)
        if not self._stale_panels:
            self._redraw(self._visible_dirty_cells(), deadline)
        self._worked = time.monotonic()

    def _make(self, deadline: float) -> None:
        """Make panels anew; when all are made, the axes that hold them."""
        for key in list(self._stale_panels):
            del self._stale_panels[key]
            self.panels[key]
            self._fit_scale = True
            if time.monotonic() > deadline:
                break
        if self._fit_scale and not self._stale_panels:
            self._fit_scale = False
            self._fit_scales()

    def _fit_scales(self) -> None:
        """A y range for each genre, for its cells are side by side."""
        by_genre: dict[str, list[Panel]] = {}
        for key in self.arrangement.members:
            by_genre.setdefault(key[0], []).append(self.panels[key])
        if self.viewport.facet:
            scales = {genre: value_range(p, self.options) for genre, p in by_genre.items()}
        else:
            scale = value_range([p for ps in by_genre.values() for p in ps], self.options)
            scales = dict.fromkeys(by_genre, scale)
        if scales != self._scales:
            changed = {g for g, scale in scales.items() if self._scales.get(g) != scale}
            self._scales = scales
            keys = [*self._drawn, *self.viewport.visible_keys()]
            self._invalidate(key for key in keys if key[0] in changed)
        self.scale = next(iter(scales.values()), Range(0.0, 1.0))

    def _scale_of(self, key: Key) -> Range:
        if not self.options.shared_y:
            return value_range([self.panels[key]], self.options)
        return self._scales.get(key[0], self.scale)

    def _invalidate(self, keys: Iterable[Key]) -> None:
        """Have these cells drawn anew, those out of sight when they come into it."""
        self._dirty_cells.update(dict.fromkeys(keys))

    def _visible_dirty_cells(self) -> list[Key]:
        """What is to be drawn now."""
        keys = [key for key in self.viewport.visible_keys() if key in self._dirty_cells]
        for key in self._dirty_cells.keys() - set(keys):
            self._drawn.pop(key, None)
        self._dirty_cells = dict.fromkeys(keys)
        return keys

    def _repaint(self) -> None:
        """Draw every cell in sight anew; what was there stays until then."""
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
        self._invalidate(self.viewport.visible_keys())
        self._compose_lines()
        self.refresh()
        self._work()

    def on_resize(self, event: events.Resize) -> None:
        self._repaint()

    # Drawing

    def _plot_settings(self, key: Key) -> PlotSettings:
        return PlotSettings(
            epochs=self.epochs_of(key),
            scale=self._scale_of(key),
            overlaid=not self.viewport.facet,
            letters=not self.viewport.facet and len(self.arrangement.groups) > 1,
            ascii_only=self.ascii_only,
            cursor=self.cursor,
            lowest_is_best=self.options.metric in LOWER_IS_BETTER,
        )

    def _draw(self, key: Key, row: int, column: int) -> list[Row]:
        viewport = self.viewport
        width, height = viewport.tiling.width, viewport.tiling.height
        is_selected = key == viewport.selected_key
        # Where cells share an axis, its labels and the genre's name are there once.
        is_first = column == viewport.offset[1]
        shares_y = self.options.shared_y and viewport.facet
        label = key[1] if viewport.wraps and viewport.facet else key[0]
        title = captions.cell_title(
            key,
            self.panels.members(key),
            width,
            self.options,
            cursor=self.cursor,
            selected=is_selected,
            focused=self.has_focus,
            verdict_of=self.verdict_of,
            label=label if viewport.wraps or is_first or is_selected else " ",
        )
        return draw_cell(
            self.panels[key],
            title,
            width,
            height,
            self._plot_settings(key),
            x_labels=viewport.wraps or self._is_last_row(row),
            y_labels=is_first or not shares_y,
        )

    def _is_last_row(self, row: int) -> bool:
        """Whether no cell is on the screen below this row."""
        last = min(self.viewport.cells[0], self.viewport.offset[0] + self.viewport.tiling.down)
        return row == last - 1

    @property
    def _cut_values(self) -> int:
        """How many values on the screen are beyond their axes."""
        keys = self.viewport.visible_keys()
        if self.options.whole_y or self._stale_panels:
            return 0
        return sum(self.panels[key].count_outside(self._scale_of(key)) for key in keys)

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

    @property
    def _blank(self) -> Row:
        return ((" " * self.viewport.tiling.width, "blank"),)

    def _compose_lines(self) -> None:
        self.lines = [self._line(y) for y in range(self.size.height)]

    def _line(self, y: int) -> Strip:
        viewport, width = self.viewport, self.size.width
        if y == 0:
            pages = captions.page(
                viewport.offset, (viewport.tiling.down, viewport.tiling.across), viewport.cells
            )
            return self.strip(
                captions.header(
                    self.options,
                    self.arrangement,
                    pages,
                    width,
                    self.ascii_only,
                    cut=self._cut_values,
                )
            )
        if not self.arrangement.rows:
            text = self.empty[y - 2] if 0 <= y - 2 < len(self.empty) else ""
            return self.strip((("  " + text, "dim"),))
        if y == self.size.height - 1 and self._shows_readout:
            return self.strip(self._readout())
        if y == 1 and not viewport.wraps:
            columns = self.arrangement.columns[viewport.offset[1] :][: viewport.tiling.across]
            return self.strip(captions.strip(columns, viewport.tiling.width))
        return self.strip(self._cells_at(y - viewport.top))

    def _cells_at(self, y: int) -> Iterable[tuple[str, str]]:
        """Line `y` below the heads: a line of each of the cells beside each other."""
        viewport = self.viewport
        row, i = divmod(y, viewport.tiling.height)
        (top, left), across = viewport.offset, viewport.tiling.across
        for column in range(left, left + across if row < viewport.tiling.down else left):
            key = viewport.key_at(top + row, column)
            if key is None:
                return
            yield from self._drawn[key][i] if key in self._drawn else self._blank
            yield " ", "blank"

    def _readout(self) -> Row:
        key = self.viewport.selected_key
        return captions.readout(
            key,
            self.panels.members(key),
            self.arrangement.groups,
            self.options,
            self.cursor,
            self.size.width,
        )

    @property
    def _shows_readout(self) -> bool:
        return self._has_readout and self.size.height > self.viewport.top + 2

    def _redraw_readout(self) -> None:
        if self._shows_readout and self.lines:
            self.lines[-1] = self.strip(self._readout())
            self.refresh(Region(0, self.size.height - 1, self.size.width, 1))
