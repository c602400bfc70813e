"""One cell on the whole screen: axes with labels, every value at the cursor, the runs behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from postertui.dashboard.charts import captions
from postertui.dashboard.charts.cell import LABEL_WIDTH, Look, Row, draw_cell
from postertui.dashboard.charts.lines import Lines
from postertui.dashboard.charts.panels import (
    COMPARED,
    Arrangement,
    Key,
    epoch_range,
    natural,
    panel_of,
    value_range,
)
from postertui.dashboard.live.judge import Judgement
from postertui.dashboard.live.view import RunView
from postertui.dashboard.model import Model
from postertui.dashboard.numbers import always_yes, score
from postertui.dashboard.safe import fit
from postertui.dashboard.screens.keybar import KeyBar
from postertui.dashboard.table.detail import detail_lines
from postertui.dashboard.table.widget import RunTable

if TYPE_CHECKING:
    from postertui.dashboard.app import DashboardApp


#: Columns of the values at the right.
_NUMBERS = 13


class BigChart(Lines, can_focus=True):
    """The curves of `key`, as large as the widget is."""

    def __init__(self, dashboard: DashboardApp, key: Key) -> None:
        super().__init__(dashboard.book)
        self.setup = dashboard.setup
        self.model = dashboard.model
        self.key = key
        self.cursor: int | None = None
        self._rows: list[Row] = []

    @property
    def runs(self) -> list[RunView]:
        names = self.arrangement.members.get(self.key, ())
        return [self.model.runs[n] for n in names if n in self.model.runs]

    @property
    def first(self) -> RunView | None:
        """The run that the legend begins with."""
        value_of = COMPARED[self.model.options.compare][1]
        return min(self.runs, key=lambda r: (natural(value_of(r)), r.seed), default=None)

    def style_of(self, group: str) -> str:
        if self.model.options.mode == "overlay":
            return f"group-{self.arrangement.groups.index(group)}"
        return "test"

    @property
    def arrangement(self) -> Arrangement:
        return self.model.arrangement

    def forget(self) -> None:
        """What is on the screen is no longer what would be drawn."""
        self._rows = []

    def redraw(self) -> None:
        """Draw what the model says now."""
        options, runs = self.model.options, self.runs
        panel = panel_of(runs, self.arrangement.groups, options)
        self.epochs = epoch_range(runs, options)
        overlaid = options.mode == "overlay"
        look = Look(
            epochs=self.epochs,
            scale=value_range([panel], options),
            overlaid=overlaid,
            letters=overlaid and len(self.arrangement.groups) > 1,
            ascii_only=self.setup.ascii_only,
            cursor=self.cursor,
        )
        width, height = self.size
        title = captions.header(options, self.arrangement, "", width, self.setup.ascii_only)
        rows = draw_cell(panel, title, width, max(3, height - 1), look)
        rows.append(((" " * LABEL_WIDTH + "epoch".rjust(max(0, width - LABEL_WIDTH)), "dim"),))
        changed = [y for y, row in enumerate(rows) if self._rows[y : y + 1] != [row]]
        self._rows = rows
        self.lines = [self.strip(row) for row in rows]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def on_resize(self, event: events.Resize) -> None:
        self.forget()
        self.redraw()

    def move_cursor(self, by: int) -> None:
        first, last = self.epochs
        newest = max((r.epoch for r in self.runs), default=last)
        now = self.cursor if self.cursor is not None else newest - by
        self.cursor = max(first, min(last, now + by))
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        place = (event.x - LABEL_WIDTH) / max(1, self.size.width - LABEL_WIDTH - 1)
        first, last = self.epochs
        self.cursor = round(first + (last - first) * max(0.0, min(1.0, place)))
        self.redraw()


class Values(Widget):
    """At the right: every curve's value at the cursor."""

    def __init__(self, dashboard: DashboardApp, chart: BigChart) -> None:
        super().__init__()
        self.book = dashboard.book
        self.chart = chart

    def rows(self) -> list[Row]:
        """A row a run as far as there is room, then the references and the verdict."""
        chart, options, width = self.chart, self.chart.model.options, self.size.width
        where = f"epoch {chart.cursor}" if chart.cursor is not None else "newest"
        rows: list[Row] = [(
            (fit(f" {where}", width - _NUMBERS), "bold"),
            ((f"{'test':>6}{'train':>6}"), "dim"),
        )]  # fmt: skip
        values = captions.values_at(chart.runs, options, chart.cursor)
        tail = [*self._references(), *self._verdict()]
        room = max(1, self.size.height - len(tail) - 2)
        for value in values if len(values) <= room else values[: room - 1]:
            rows.append((
                (fit(f" {value.name}", width - _NUMBERS), chart.style_of(value.group)),
                (f"{captions.value_text(value.test, options):>6}", "text"),
                (f"{captions.value_text(value.train, options):>6}", "dim"),
            ))  # fmt: skip
        if len(values) > room:
            rows.append(((f" … {len(values) - room + 1} more", "dim"),))
        return rows + tail

    def _references(self) -> list[Row]:
        known = next((r for r in self.chart.runs if r.test_base_rate is not None), None)
        if known is None:
            return []
        width = self.size.width - _NUMBERS
        rate, yes = known.test_base_rate, always_yes(known.test_base_rate)
        return [
            (),
            ((fit(" base rate", width), "base-test"), (f"{score(rate):>6}", "text")),
            ((fit(" always yes", width), "dim"), (f"{score(yes):>6}", "text")),
        ]

    def _verdict(self) -> list[Row]:
        run = self.chart.first
        judgement = self.chart.model.judgements.get(run.name) if run is not None else None
        lines = detail_lines(run, judgement, self.size.width - 2, max(2, self.size.height // 3))
        if not lines:
            return []
        assert run is not None
        return [(), ((f" {run.variant}", "bold"),), *(((f" {t}", style),) for t, style in lines)]

    def render_line(self, y: int) -> Strip:
        base = self.book["on-surface"]
        rows = self.rows()
        row = rows[y] if y < len(rows) else ()
        strip = Strip([Segment(text, self.book.over(base, style)) for text, style in row])
        return strip.adjust_cell_length(self.size.width, base)


class ZoomScreen(Screen[None]):
    """Chart, values and runs of one cell; follows the runs as they go on."""

    BINDINGS = [
        Binding("escape,q", "dismiss", "Back", id="zoom.back"),
        Binding("left_square_bracket,left", "cursor(-1)", "Epoch back", id="zoom.epoch-back"),
        Binding("right_square_bracket,right", "cursor(1)", "Epoch on", id="zoom.epoch-on"),
        Binding("n,pagedown", "cell(1)", "Next cell", id="zoom.next"),
        Binding("p,pageup", "cell(-1)", "Previous cell", id="zoom.previous"),
        Binding("m", "view('metric(1)')", "Metric", id="zoom.metric"),
        Binding("a", "view('seeds')", "Mean of seeds", id="zoom.seeds"),
        Binding("F", "figure", "Figure", id="zoom.figure", tooltip="the report of this cell"),
        Binding("i", "last_figure", "last figure", show=False, id="zoom.last-figure"),
        Binding("t", "view('train')", "train on/off", show=False, id="zoom.train"),
        Binding("b", "view('references')", "base rates", show=False, id="zoom.references"),
        Binding("l", "view('log_y')", "log y", show=False, id="zoom.log-y"),
        Binding("e", "view('smoothing')", "smoothing", show=False, id="zoom.smoothing"),
    ]

    def __init__(self, dashboard: DashboardApp, key: Key, cursor: int | None = None) -> None:
        super().__init__()
        self.model: Model = dashboard.model
        self.title_ = Static("", id="zoom-title", markup=False)
        self.chart = BigChart(dashboard, key)
        self.chart.cursor = cursor
        self.values = Values(dashboard, self.chart)
        self.table = RunTable(dashboard.book, id="behind")
        self.keys_ = KeyBar(dashboard.book)
        self.dashboard = dashboard
        self._shown: list[RunView] = []

    def compose(self) -> ComposeResult:
        yield self.title_
        with Horizontal(id="zoomed"):
            yield self.chart
            yield self.values
        yield self.table
        yield self.keys_

    def on_mount(self) -> None:
        self.chart.focus()
        self.show()

    def show(self) -> None:
        """Show the model anew."""
        genre, value = self.chart.key
        self.title_.update(f" {genre}" + (f" · {value}" if value else ""))
        runs = self._shown = self.chart.runs
        if runs:
            self.dashboard.main.judge_soon(self.chart.first)
        self.table.styles.height = min(len(runs) + 1, max(3, self.size.height // 4))
        self.table.show(runs, self.model.options)
        self.chart.redraw()
        self.values.refresh()

    def take_news(self) -> None:
        """Something changed in the runs, perhaps in these."""
        if self.chart.runs != self._shown:
            self.show()

    def judged(self, judgement: Judgement) -> None:
        """A verdict has come."""
        self.values.refresh()

    def repaint(self) -> None:
        self.chart.forget()
        self.show()
        self.keys_.redraw()

    def action_cursor(self, by: int) -> None:
        self.chart.move_cursor(by)
        self.values.refresh()

    def action_cell(self, by: int) -> None:
        keys = [
            key
            for row in self.model.arrangement.rows
            for column in self.model.arrangement.columns
            if (key := (row, column)) in self.model.arrangement.members
        ]
        if self.chart.key in keys:
            self.chart.key = keys[(keys.index(self.chart.key) + by) % len(keys)]
            self.show()

    async def action_view(self, action: str) -> None:
        """Change the view as on the main screen."""
        await self.dashboard.main.run_action(action)
        self.show()

    def action_figure(self) -> None:
        self.dashboard.main.draw_figure({run.name: run for run in self.chart.runs})

    def action_last_figure(self) -> None:
        self.dashboard.main.action_last_figure()

    def on_click(self) -> None:
        self.values.refresh()
