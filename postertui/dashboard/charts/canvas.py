"""The grid as it is drawn: which cells are in sight, and only what changed sent to the screen."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from postertui.dashboard.charts import captions
from postertui.dashboard.charts.axes import Range
from postertui.dashboard.charts.cell import Look, Row, draw_cell
from postertui.dashboard.charts.layout import Tiling, scroll_to, tile
from postertui.dashboard.charts.panels import (
    Arrangement,
    Key,
    Panel,
    epoch_range,
    panel_of,
    panel_options,
    value_range,
)
from postertui.dashboard.live.view import RunView
from postertui.dashboard.options import Options
from postertui.dashboard.safe import cells

if TYPE_CHECKING:
    from postertui.dashboard.theme import Styles


#: Seconds of drawing after which keys get their turn, and how long that is.
SLICE, PAUSE = 0.012, 0.002


class GridCanvas(Widget):
    """Small multiples on the Line API; `ChartGrid` lets people move about in them."""

    def __init__(self, styles_: Styles, *, ascii_only: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.book = styles_
        self.ascii_only = ascii_only
        self.arrangement = Arrangement(members={})
        self.options = Options()
        self.runs: Mapping[str, RunView] = {}
        self.cursor: int | None = None
        self.selected = (0, 0)
        self.offset_ = (0, 0)
        self.tiling = Tiling(1, 1, 1, 1)
        self.scale = Range(0.0, 1.0)
        self.epochs = (1, 2)
        self.empty: tuple[str, ...] = ()
        self._panels: dict[Key, Panel] = {}
        self._sources: dict[Key, tuple[object, ...]] = {}
        self._drawn: dict[tuple[int, int], list[Row]] = {}
        self._due: dict[Key | None, None] = {}
        self._drawing: Timer | None = None
        self._batch = 8
        self._lines: list[Strip] = []

    # What is shown

    def show(self, arrangement: Arrangement, runs: Mapping[str, RunView], options: Options) -> None:
        """Show `runs` as `arrangement` lays them out."""
        self.arrangement, self.runs, self.options = arrangement, runs, options
        self._panels = {key: self._panel(key) for key in arrangement.members}
        self._sources = {key: self._sources[key] for key in arrangement.members}
        self.epochs = epoch_range(runs.values(), options)
        self.scale = value_range(self._panels.values(), options)
        self._tile()
        self._repaint()

    def update_runs(self, changed: Mapping[str, RunView]) -> None:
        """New snapshots of shown runs that stay in their cells: redraw those cells."""
        affected = {key for key, names in self._members_of(changed)}
        for key in affected:
            self._panels[key] = self._panel(key)
        epochs = epoch_range(self.runs.values(), self.options)
        wider = value_range((self._panels[k] for k in affected), self.options)
        if epochs != self.epochs or wider.low < self.scale.low or wider.high > self.scale.high:
            self.epochs = epochs
            self.scale = value_range(self._panels.values(), self.options)
            self._due.update((self.key_at(*cell), None) for cell in self.in_sight())
            self._compose_lines()
        in_sight = {self.key_at(*cell) for cell in self.in_sight()}
        self._due.update((key, None) for key in affected if key in in_sight)
        if self._drawing is None:
            self._draw_due()

    def _draw_due(self) -> None:
        """Redraw some of the cells that changed; the others once keys have had their turn."""
        began = time.monotonic()
        keys = [key for cell in self.in_sight() if (key := self.key_at(*cell)) in self._due]
        batch = keys[: self._batch]
        for key in batch:
            del self._due[key]
        self._redraw([key for key in batch if key is not None])
        if batch:
            each = (time.monotonic() - began) / len(batch)
            self._batch = max(1, min(100, int(SLICE / each)))
        if len(keys) > len(batch):
            self._drawing = self.set_timer(PAUSE, self._draw_due)
        else:
            self._due.clear()
            self._drawing = None

    def _members_of(self, changed: Mapping[str, RunView]) -> list[tuple[Key, tuple[str, ...]]]:
        return [
            (key, names)
            for key, names in self.arrangement.members.items()
            if not changed.keys().isdisjoint(names)
        ]

    def _panel(self, key: Key) -> Panel:
        """The panel of `key`, anew only if it is made from something else than before."""
        runs = [self.runs[n] for n in self.arrangement.members[key] if n in self.runs]
        source = (*runs, self.arrangement.groups, *panel_options(self.options))
        if key not in self._panels or self._sources.get(key) != source:
            self._sources[key] = source
            return panel_of(runs, self.arrangement.groups, self.options)
        return self._panels[key]

    @property
    def facet(self) -> bool:
        return self.options.mode == "facet"

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells, those out of sight included."""
        rows, columns = len(self.arrangement.rows), len(self.arrangement.columns)
        if self.facet:
            return rows, columns
        return -(-rows // self.tiling.across), min(rows, self.tiling.across)

    def key_at(self, row: int, column: int) -> Key | None:
        """What the cell shows; None past the last one."""
        if self.facet:
            if row < len(self.arrangement.rows) and column < len(self.arrangement.columns):
                return self.arrangement.key(row, column)
            return None
        index = row * self.tiling.across + column
        return (self.arrangement.rows[index], "") if index < len(self.arrangement.rows) else None

    @property
    def selected_key(self) -> Key | None:
        return self.key_at(*self.selected)

    def panel(self, key: Key) -> Panel:
        return self._panels.get(key, Panel())

    # Where it is shown

    @property
    def _top(self) -> int:
        return 2 if self.facet else 1

    def _tile(self) -> None:
        rows, columns = len(self.arrangement.rows), len(self.arrangement.columns)
        height = max(1, self.size.height - self._top - 1)
        self.tiling = tile(
            max(1, self.size.width - 1),
            height,
            rows,
            columns,
            facet=self.facet,
            wanted=self.options.columns,
        )
        rows, columns = self.cells
        row, column = self.selected
        self.selected = (max(0, min(row, rows - 1)), max(0, min(column, columns - 1)))
        self._follow()

    def _follow(self) -> None:
        rows, columns = self.cells
        (row, column), (top, left) = self.selected, self.offset_
        self.offset_ = (
            scroll_to(top, row, self.tiling.down, rows),
            scroll_to(left, column, self.tiling.across, columns),
        )

    def in_sight(self) -> list[tuple[int, int]]:
        """(row, column) of the cells on the screen."""
        (top, left), (rows, columns) = self.offset_, self.cells
        return [
            (row, column)
            for row in range(top, min(rows, top + self.tiling.down))
            for column in range(left, min(columns, left + self.tiling.across))
        ]

    def on_resize(self, event: events.Resize) -> None:
        self._tile()
        self._repaint()

    # Drawing

    def _look(self, key: Key) -> Look:
        scale = self.scale
        if not self.options.shared_y:
            scale = value_range([self.panel(key)], self.options)
        return Look(
            epochs=self.epochs,
            scale=scale,
            overlaid=not self.facet,
            letters=not self.facet and len(self.arrangement.groups) > 1,
            ascii_only=self.ascii_only,
            cursor=self.cursor,
        )

    def _draw(self, row: int, column: int) -> list[Row]:
        key = self.key_at(row, column)
        width, height = self.tiling.width, self.tiling.height
        if key is None:
            return [((" " * width, "blank"),)] * height
        runs = [self.runs[n] for n in self.arrangement.members.get(key, ()) if n in self.runs]
        title = captions.cell_title(
            key,
            runs,
            width,
            self.options,
            cursor=self.cursor,
            selected=(row, column) == self.selected,
            focused=self.has_focus,
        )
        return draw_cell(self.panel(key), title, width, height, self._look(key))

    def _repaint(self) -> None:
        """Draw every cell in sight anew."""
        self._drawn = {cell: self._draw(*cell) for cell in self.in_sight()}
        self._compose_lines()
        self.refresh()

    def _redraw(self, keys: Collection[Key]) -> None:
        """Draw the cells of `keys` and send to the screen only the stretches that differ."""
        regions: list[Region] = []
        top, left = self.offset_
        dirty: set[int] = set()
        for row, column in self.in_sight():
            if self.key_at(row, column) not in keys:
                continue
            old, new = self._drawn[row, column], self._draw(row, column)
            self._drawn[row, column] = new
            x = (column - left) * (self.tiling.width + 1)
            y = self._top + (row - top) * self.tiling.height
            for i, (before, after) in enumerate(zip(old, new, strict=True)):
                if before != after:
                    start, stop = _difference(before, after)
                    regions.append(Region(x + start, y + i, stop - start, 1))
                    dirty.add(y + i)
        # A cell can be higher than a very small terminal.
        for y in dirty & set(range(len(self._lines))):
            self._lines[y] = self._line(y)
        readout = self.size.height - 1
        if keys and self.selected_key in keys and 0 <= readout < len(self._lines):
            self._lines[readout] = self._strip(self._readout())
            regions.append(Region(0, readout, self.size.width, 1))
        if regions:
            self.refresh(*regions)

    def _compose_lines(self) -> None:
        self._lines = [self._line(y) for y in range(self.size.height)]

    def _line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            pages = captions.page(self.offset_, (self.tiling.down, self.tiling.across), self.cells)
            return self._strip(
                captions.header(self.options, self.arrangement, pages, width, self.ascii_only)
            )
        if not self.arrangement.rows:
            text = self.empty[y - 2] if 0 <= y - 2 < len(self.empty) else ""
            return self._strip((("  " + text, "dim"),))
        if y == self.size.height - 1 and self.size.height > self._top + 2:
            return self._strip(self._readout())
        if y == 1 and self.facet:
            columns = self.arrangement.columns[self.offset_[1] :][: self.tiling.across]
            return self._strip(captions.strip(columns, self.tiling.width))
        cell_row, i = divmod(y - self._top, self.tiling.height)
        parts: list[tuple[str, str]] = []
        top, left = self.offset_
        for column in range(left, left + self.tiling.across):
            drawn = self._drawn.get((top + cell_row, column))
            if drawn is None or cell_row >= self.tiling.down:
                break
            parts.extend(drawn[i])
            parts.append((" ", "blank"))
        return self._strip(tuple(parts))

    def _readout(self) -> Row:
        key = self.selected_key
        names = self.arrangement.members.get(key, ()) if key else ()
        runs = [self.runs[n] for n in names if n in self.runs]
        return captions.readout(
            key, runs, self.arrangement.groups, self.options, self.cursor, self.size.width
        )

    def _strip(self, row: Row) -> Strip:
        base = self.book["on-background"]
        strip = Strip([Segment(text, self.book.over(base, style)) for text, style in row])
        return strip.adjust_cell_length(self.size.width, base)

    def render_line(self, y: int) -> Strip:
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self.book["on-background"])

    def _redraw_readout(self) -> None:
        if self.size.height > self._top + 2 and self._lines:
            self._lines[-1] = self._strip(self._readout())
            self.refresh(Region(0, self.size.height - 1, self.size.width, 1))


def _difference(before: Row, after: Row) -> tuple[int, int]:
    """The first and last (exclusive) character in which two rows differ."""
    old = [(c, style) for text, style in before for c in text]
    new = [(c, style) for text, style in after for c in text]
    stop = max(len(old), len(new))
    wide = max(sum(cells(text) for text, _ in row) for row in (before, after))
    if len(old) != len(new) or wide != stop:
        return 0, wide
    start = next((i for i in range(stop) if old[i] != new[i]), stop)
    while stop > start and old[stop - 1] == new[stop - 1]:
        stop -= 1
    return start, max(stop, start + 1)
