"""The grid on the screen: choosing cells, and the epoch cursor, by keys and by mouse."""

from __future__ import annotations

from textual import events
from textual.message import Message

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.charts.cell import LABEL_WIDTH, width_of_names
from postertui.dashboard.state.arrangement import Key
from postertui.dashboard.widgets.grid_canvas import GridCanvas


class ChartGrid(GridCanvas, can_focus=True):
    """Small multiples. Arrows choose a cell, `[` and `]` move the epoch cursor in all of them."""

    BINDINGS = bindings("grid")

    class Opened(Message):
        """Enter or a second click on a cell."""

        def __init__(self, key: Key) -> None:
            super().__init__()
            self.key = key

    def action_select(self, down: int, right: int) -> None:
        row, column = self.viewport.selected
        self.select(row + down, column + right)

    def select(self, row: int, column: int) -> None:
        """Choose a cell, scrolling if it is out of sight."""
        viewport = self.viewport
        rows, columns = viewport.cells
        row, column = max(0, min(row, rows - 1)), max(0, min(column, columns - 1))
        if viewport.key_at(row, column) is None:
            return
        before, offset = viewport.selected_key, viewport.offset
        viewport.selected = (row, column)
        viewport.follow()
        changed = [k for k in (before, viewport.selected_key) if k is not None]
        if offset != viewport.offset:
            self._invalidate(changed)
            self._scroll()
        else:
            self._redraw(changed)

    def go_to(self, key: Key) -> None:
        """Choose the cell `key`, if there is one."""
        rows, columns = self.viewport.cells
        for row in range(rows):
            for column in range(columns):
                if self.viewport.key_at(row, column) == key:
                    self.select(row, column)
                    return

    def action_page(self, by: int) -> None:
        tiling, (rows, columns) = self.viewport.tiling, self.viewport.cells
        row, column = self.viewport.selected
        if rows > tiling.down:
            self.select(row + by * tiling.down, column)
        elif columns > tiling.across:
            self.select(row, column + by * tiling.across)

    def action_first(self) -> None:
        self.select(0, 0)

    def action_open(self) -> None:
        if (key := self.viewport.selected_key) is not None:
            self.post_message(self.Opened(key))

    def move_cursor(self, by: int) -> None:
        """Move the epoch cursor in all cells; the first call puts it on the newest epoch."""
        first, last = self.axes.epochs
        newest = max((r.epoch for r in self.panels.runs.values()), default=last)
        start = self.cursor if self.cursor is not None else min(last, newest) - min(by, 0)
        if self.cursor is None and by > 0:
            start = first - 1
        self.set_cursor(max(first, min(last, start + by)))

    def set_cursor(self, epoch: int | None) -> None:
        if epoch != self.cursor:
            self.cursor = epoch
            self._redraw_readout()
            self._invalidate([*self._drawn, *self.viewport.visible_keys()])
            self._work()

    def redraw_titles(self) -> None:
        """Draw the cells in sight again: their marks are others now."""
        self._invalidate(self.viewport.visible_keys())
        self._work()

    def _cell_under(self, x: int, y: int) -> tuple[int, int] | None:
        viewport, tiling = self.viewport, self.viewport.tiling
        column, row = x // (tiling.width + 1), (y - viewport.top) // tiling.height
        if y < viewport.top or row >= tiling.down or column >= tiling.across:
            return None
        cell = (row + viewport.offset[0], column + viewport.offset[1])
        return cell if viewport.key_at(*cell) is not None else None

    def on_click(self, event: events.Click) -> None:
        cell = self._cell_under(event.x, event.y)
        if cell is None:
            return
        self.select(*cell)
        width = self.viewport.tiling.width
        is_first = cell[1] == self.viewport.offset[1]
        labels = (
            LABEL_WIDTH if is_first or not (self.options.shared_y and self.viewport.facet) else 1
        )
        plot = event.x % (width + 1) - labels
        key = self.viewport.key_at(*cell)
        assert key is not None
        names = width_of_names(width - labels, self._plot_settings(key))
        across = max(1, width - labels - names - 1)
        if plot >= 0:
            first, last = self.axes.epochs_of(key)
            self.set_cursor(round(first + (last - first) * min(1.0, plot / across)))
        if event.chain == 2:
            self.action_open()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.action_select(1, 0)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.action_select(-1, 0)

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Only the selected cell looks different; Textual would style and draw all again."""
        if (key := self.viewport.selected_key) is not None and key in self._drawn:
            self._redraw([key])
