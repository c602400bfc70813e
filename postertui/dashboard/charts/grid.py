"""The grid on the screen: choosing cells, and the epoch cursor, by keys and by mouse."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.message import Message

from postertui.dashboard.charts.canvas import GridCanvas
from postertui.dashboard.charts.cell import LABEL_WIDTH
from postertui.dashboard.charts.panels import Key


class ChartGrid(GridCanvas, can_focus=True):
    """Small multiples. Arrows choose a cell, `[` and `]` move the epoch cursor in all of them."""

    BINDINGS = [
        Binding("left,h", "select(0,-1)", "left", show=False, id="grid.left"),
        Binding("right", "select(0,1)", "right", show=False, id="grid.right"),
        Binding("up,k", "select(-1,0)", "up", show=False, id="grid.up"),
        Binding("down,j", "select(1,0)", "down", show=False, id="grid.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="grid.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="grid.page-down"),
        Binding("home", "first", "first cell", show=False, id="grid.first"),
        Binding("enter", "open", "Full screen", id="grid.open", tooltip="this cell, full screen"),
    ]

    class Opened(Message):
        """Enter or a second click on a cell."""

        def __init__(self, key: Key) -> None:
            super().__init__()
            self.key = key

    def action_select(self, down: int, right: int) -> None:
        row, column = self.places.selected
        self.select(row + down, column + right)

    def select(self, row: int, column: int) -> None:
        """Choose a cell, scrolling if it is out of sight."""
        places = self.places
        rows, columns = places.cells
        row, column = max(0, min(row, rows - 1)), max(0, min(column, columns - 1))
        if places.key_at(row, column) is None:
            return
        before, offset = places.selected_key, places.offset
        places.selected = (row, column)
        places.follow()
        changed = [k for k in (before, places.selected_key) if k is not None]
        if offset != places.offset:
            self._is_old(changed)
            self._scroll()
        else:
            self._redraw(changed)

    def go_to(self, key: Key) -> None:
        """Choose the cell `key`, if there is one."""
        rows, columns = self.places.cells
        for row in range(rows):
            for column in range(columns):
                if self.places.key_at(row, column) == key:
                    self.select(row, column)
                    return

    def action_page(self, by: int) -> None:
        tiling, (rows, columns) = self.places.tiling, self.places.cells
        row, column = self.places.selected
        if rows > tiling.down:
            self.select(row + by * tiling.down, column)
        elif columns > tiling.across:
            self.select(row, column + by * tiling.across)

    def action_first(self) -> None:
        self.select(0, 0)

    def action_open(self) -> None:
        if (key := self.places.selected_key) is not None:
            self.post_message(self.Opened(key))

    def move_cursor(self, by: int) -> None:
        """Move the epoch cursor in all cells; the first call puts it on the newest epoch."""
        first, last = self.epochs
        newest = max((r.epoch for r in self.panels.runs.values()), default=last)
        start = self.cursor if self.cursor is not None else min(last, newest) - min(by, 0)
        if self.cursor is None and by > 0:
            start = first - 1
        self.set_cursor(max(first, min(last, start + by)))

    def set_cursor(self, epoch: int | None) -> None:
        if epoch != self.cursor:
            self.cursor = epoch
            self._redraw_readout()
            self._is_old([*self._drawn, *self.places.keys_in_sight()])
            self._work()

    def _cell_under(self, x: int, y: int) -> tuple[int, int] | None:
        places, tiling = self.places, self.places.tiling
        column, row = x // (tiling.width + 1), (y - places.top) // tiling.height
        if y < places.top or row >= tiling.down or column >= tiling.across:
            return None
        cell = (row + places.offset[0], column + places.offset[1])
        return cell if places.key_at(*cell) is not None else None

    def on_click(self, event: events.Click) -> None:
        cell = self._cell_under(event.x, event.y)
        if cell is None:
            return
        self.select(*cell)
        width = self.places.tiling.width
        plot = event.x % (width + 1) - LABEL_WIDTH
        across = max(1, width - LABEL_WIDTH - 1)
        if plot >= 0:
            first, last = self.epochs
            self.set_cursor(round(first + (last - first) * min(1.0, plot / across)))
        if event.chain == 2:
            self.action_open()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.action_select(1, 0)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.action_select(-1, 0)

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Only the selected cell looks different; Textual would style and draw all anew."""
        if (key := self.places.selected_key) is not None and key in self._drawn:
            self._redraw([key])
