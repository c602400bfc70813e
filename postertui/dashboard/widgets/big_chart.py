"""One cell's curves, as large as there is room."""

from __future__ import annotations

from textual import events
from textual.geometry import Region

from postertui.dashboard.charts import captions
from postertui.dashboard.charts.cell import LABEL_WIDTH, Row, draw_cell, width_of_names
from postertui.dashboard.charts.highlights import Highlights, highlight
from postertui.dashboard.charts.panels import epoch_range, panel_of, value_range
from postertui.dashboard.charts.plot import PlotSettings
from postertui.dashboard.context import Context
from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.state.arrangement import Arrangement, Key, compared_value
from postertui.dashboard.state.metrics import LOWER_IS_BETTER
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.widgets.line_widget import LineWidget


class BigChart(LineWidget, can_focus=True):
    """The curves of `key`, as large as the widget is."""

    def __init__(self, context: Context, key: Key) -> None:
        super().__init__(context.styles)
        self.model = context.model
        self.key = key
        self._ascii_only = context.setup.ascii_only
        self.cursor: int | None = None
        self._rows: list[Row] = []

    @property
    def runs(self) -> list[RunView]:
        names = self.arrangement.members.get(self.key, ())
        return [self.model.runs[n] for n in names if n in self.model.runs]

    @property
    def first(self) -> RunView | None:
        """The run that the legend begins with."""
        value_of = compared_value(self.model.options.compare)
        return min(self.runs, key=lambda r: (natural_key(value_of(r)), r.seed), default=None)

    @property
    def highlights(self) -> Highlights:
        return highlight(
            self.arrangement.groups, self.model.preferred_groups(None, genre=self.key[0])
        )

    def style_of(self, group: str) -> str:
        return self.highlights.style(group) if self.model.options.mode == "overlay" else "test"

    @property
    def arrangement(self) -> Arrangement:
        return self.model.arrangement

    def invalidate(self) -> None:
        """What is on the screen is no longer what would be drawn."""
        self._rows = []

    def redraw(self) -> None:
        """Draw what the model says now."""
        options, runs = self.model.options, self.runs
        basis = self.model.delta_basis(self.key[0], runs) if options.delta else None
        panel = panel_of(runs, self.arrangement.groups, options, basis)
        self.epochs = epoch_range(runs, options)
        overlaid = options.mode == "overlay"
        self._settings = settings = PlotSettings(
            epochs=self.epochs,
            scale=value_range([panel], options),
            overlaid=overlaid,
            letters=overlaid and len(self.arrangement.groups) > 1,
            ascii_only=self._ascii_only,
            cursor=self.cursor,
            lowest_is_best=options.metric in LOWER_IS_BETTER,
            highlights=self.highlights if overlaid else None,
        )
        width, height = self.size
        title = captions.header(options, self.highlights, "", width, self._ascii_only)
        rows = draw_cell(panel, title, width, max(3, height - 1), settings)
        rows.append(((" " * LABEL_WIDTH + "epoch".rjust(max(0, width - LABEL_WIDTH)), "dim"),))
        changed = [y for y, row in enumerate(rows) if self._rows[y : y + 1] != [row]]
        self._rows = rows
        self.lines = [self.strip(row) for row in rows]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def on_resize(self, event: events.Resize) -> None:
        self.invalidate()
        self.redraw()

    def move_cursor(self, by: int) -> None:
        first, last = self.epochs
        newest = max((r.epoch for r in self.runs), default=last)
        now = self.cursor if self.cursor is not None else newest - by
        self.cursor = max(first, min(last, now + by))
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        width = self.size.width - LABEL_WIDTH
        width -= width_of_names(width, self._settings)
        place = (event.x - LABEL_WIDTH) / max(1, width - 1)
        first, last = self.epochs
        self.cursor = round(first + (last - first) * max(0.0, min(1.0, place)))
        self.redraw()
