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
from postertui.dashboard.charts.panels import (
    COMPARED,
    Arrangement,
    Key,
    epoch_range,
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


class BigChart(Widget, can_focus=True):
    """The curves of `key`, as large as the widget is."""

    def __init__(self, dashboard: DashboardApp, key: Key) -> None:
        super().__init__()
        self.book, self.setup = dashboard.book, dashboard.setup
        self.model = dashboard.model
        self.key = key
        self.cursor: int | None = None
        self._rows: list[Row] = []
        self._lines: list[Strip] = []

    @property
    def runs(self) -> list[RunView]:
        names = self.arrangement.members.get(self.key, ())
        return [self.model.runs[n] for n in names if n in self.model.runs]

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
        self._lines = [self._strip(row) for row in rows]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _strip(self, row: Row) -> Strip:
        base = self.book["on-background"]
        strip = Strip([Segment(text, self.book.over(base, style)) for text, style in row])
        return strip.adjust_cell_length(self.size.width, base)

    def on_resize(self, event: events.Resize) -> None:
        self.forget()
        self.redraw()

    def render_line(self, y: int) -> Strip:
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self.book["on-background"])

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
        """One row a run, and the references."""
        chart, options = self.chart, self.chart.model.options
        where = f"epoch {chart.cursor}" if chart.cursor is not None else "newest"
        rows: list[Row] = [((f" {where}", "bold"),), ((f" {'test':>16}{'train':>7}", "dim"),)]
        groups = chart.arrangement.groups
        overlaid = options.mode == "overlay"
        for run in chart.runs:
            test = captions.value_at(run, "test", options, chart.cursor)
            train = captions.value_at(run, "train", options, chart.cursor)
            group = COMPARED[options.compare][1](run)
            style = f"group-{groups.index(group)}" if overlaid else "test"
            name = f"{run.variant} s{run.seed}" if len(chart.runs) > 1 else run.variant
            rows.append(((f" {fit(name, self.size.width - 2)}", style),))
            rows.append((
                (f" {captions.value_text(test, options):>16}", "text"),
                (f"{captions.value_text(train, options):>7}", "dim"),
            ))  # fmt: skip
        known = next((r for r in chart.runs if r.test_base_rate is not None), None)
        if known is not None:
            rows += [
                (),
                ((f" {'base rate':<11}{score(known.test_base_rate):>5}", "base-test"),),
                ((f" {'always yes':<11}", "dim"),
                 (f"{score(always_yes(known.test_base_rate)):>5}", "dim")),
            ]  # fmt: skip
        return [*rows, *self._verdict()]

    def _verdict(self) -> list[Row]:
        runs = self.chart.runs
        if not runs:
            return []
        judgement = self.chart.model.judgements.get(runs[0].name)
        lines = detail_lines(runs[0], judgement, self.size.width - 2, 12)
        return [(), *(((f" {text}", style),) for text, style in lines)]

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
        Binding("l", "log_y", "log y", show=False, id="zoom.log-y"),
        Binding("m", "metric", "Metric", id="zoom.metric"),
    ]

    def __init__(self, dashboard: DashboardApp, key: Key) -> None:
        super().__init__()
        self.model: Model = dashboard.model
        self.title_ = Static("", id="zoom-title", markup=False)
        self.chart = BigChart(dashboard, key)
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
            self.dashboard.main.judge_soon(runs[0])
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

    def action_metric(self) -> None:
        self.dashboard.main.action_metric(1)
        self.show()

    def action_log_y(self) -> None:
        self.dashboard.main.action_log_y()
        self.show()

    def on_click(self) -> None:
        self.values.refresh()
