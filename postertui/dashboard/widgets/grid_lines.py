"""The lines of a grid of small multiples: legend, column heads, cells beside each other, values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.strip import Strip

from postertui.dashboard.charts import captions
from postertui.dashboard.charts.axes import Range
from postertui.dashboard.charts.cell import Row, draw_cell
from postertui.dashboard.charts.grid_axes import GridAxes
from postertui.dashboard.charts.highlights import Highlights
from postertui.dashboard.charts.panel_cache import PanelCache
from postertui.dashboard.charts.panels import value_range
from postertui.dashboard.charts.plot import PlotSettings
from postertui.dashboard.charts.titles import Verdicts, cell_title
from postertui.dashboard.charts.viewport import GridViewport
from postertui.dashboard.state.arrangement import Arrangement, Key
from postertui.dashboard.state.metrics import LOWER_IS_BETTER
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.widgets.line_widget import LineWidget

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


class GridLines(LineWidget):
    """What each line of the grid shows, from the cells that have been drawn."""

    def __init__(
        self, theme: ThemeStyles, *, ascii_only: bool, readout: bool, id: str | None
    ) -> None:
        super().__init__(theme, id=id)
        self.ascii_only = ascii_only
        self._has_readout = readout
        self.viewport = GridViewport()
        self.panels = PanelCache()
        self.cursor: int | None = None
        self.axes = GridAxes()
        self.highlights = Highlights((), ())
        self.empty: tuple[str, ...] = ()
        self.verdicts = Verdicts()
        self._stale_panels: set[Key] = set()
        self._fits_scales = True
        self._drawn: dict[Key, list[Row]] = {}

    @property
    def arrangement(self) -> Arrangement:
        return self.viewport.arrangement

    @property
    def options(self) -> ViewOptions:
        return self.viewport.options

    @property
    def _is_current(self) -> bool:
        """Whether the cells in sight have their panels and axes."""
        if not self._fits_scales or not self._stale_panels:
            return self._fits_scales
        return self._stale_panels.isdisjoint(self.viewport.visible_keys())

    def _scale_of(self, key: Key) -> Range:
        if not self.options.shared_y and self.viewport.facet:
            return value_range([self.panels[key]], self.options)
        return self.axes.scale_of(key)

    def _plot_settings(self, key: Key) -> PlotSettings:
        return PlotSettings(
            epochs=self.axes.epochs_of(key),
            scale=self._scale_of(key),
            overlaid=not self.viewport.facet,
            letters=not self.viewport.facet and len(self.arrangement.groups) > 1,
            ascii_only=self.ascii_only,
            cursor=self.cursor,
            lowest_is_best=self.options.metric in LOWER_IS_BETTER,
            highlights=None if self.viewport.facet else self.highlights,
        )

    def _draw(self, key: Key, row: int, column: int) -> list[Row]:
        viewport, panel = self.viewport, self.panels[key]
        width, height = viewport.tiling.width, viewport.tiling.height
        is_selected = key == viewport.selected_key
        # Where cells share an axis, its labels and the genre's name are there once.
        is_first = column == viewport.offset[1]
        shares_y = self.options.shared_y and viewport.facet
        label = key[1] if viewport.wraps and viewport.facet else key[0]
        title = cell_title(
            key,
            self.panels.members(key),
            width,
            self.options,
            cursor=self.cursor,
            selected=is_selected,
            focused=self.has_focus,
            verdicts=self.verdicts,
            label=label if viewport.wraps or is_first or is_selected else " ",
            panel=panel,
        )
        return draw_cell(
            panel,
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
        if self.options.whole_y or not self._is_current:
            return 0
        return sum(self.panels[key].count_outside(self._scale_of(key)) for key in keys)

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
                    self.highlights,
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
            self.highlights,
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
