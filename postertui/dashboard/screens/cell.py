"""One cell on the whole screen: axes with labels, every value at the cursor, its runs."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.context import Context
from postertui.dashboard.controllers.controllers import Controllers
from postertui.dashboard.screens.base import DashboardScreen, Handler
from postertui.dashboard.state.arrangement import Key
from postertui.dashboard.state.assessment import Assessment
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.table.columns import RunFacts
from postertui.dashboard.widgets.big_chart import BigChart
from postertui.dashboard.widgets.cell_values import CellValues
from postertui.dashboard.widgets.key_bar import KeyBar
from postertui.dashboard.widgets.run_table import RunTable


class CellScreen(DashboardScreen[None]):
    """Chart, values and runs of one cell; follows the runs as they train."""

    BINDINGS = bindings("cell")
    HELP_REGIONS = ("cell",)

    def __init__(
        self, context: Context, controllers: Controllers, key: Key, epoch: int | None = None
    ) -> None:
        super().__init__(context)
        self._controllers = controllers
        self.heading = Static("", id="zoom-title", markup=False)
        self.chart = BigChart(context, key)
        self.chart.cursor = epoch
        self.values = CellValues(context.styles, self.chart)
        self.table = RunTable(context.styles, id="behind")
        self.keys = KeyBar(context.styles)
        self.table.facts = RunFacts(self.model.verdict, self.model.remaining)
        self._shown: list[RunView] = []

    @property
    def handlers(self) -> Mapping[str, Handler]:
        view, figures = self._controllers.view, self._controllers.figures
        return {
            "zoom.epoch-back": partial(self._move_cursor, -1),
            "zoom.epoch-on": partial(self._move_cursor, 1),
            "zoom.next": partial(self._step_cell, 1),
            "zoom.previous": partial(self._step_cell, -1),
            "zoom.metric": partial(view.step_metric, 1),
            "zoom.seeds": view.toggle_seeds,
            "zoom.figure": lambda: figures.draw({run.name: run for run in self.chart.runs}),
            "zoom.last-figure": figures.open_newest,
            "zoom.delta": partial(view.toggle, "delta"),
            "zoom.train": partial(view.toggle, "train"),
            "zoom.references": partial(view.toggle, "references"),
            "zoom.whole-y": partial(view.toggle, "whole_y"),
            "zoom.log-y": partial(view.toggle, "log_y"),
            "zoom.smoothing": view.step_smoothing,
        }

    def compose(self) -> ComposeResult:
        yield self.heading
        with Horizontal(id="zoomed"):
            yield self.chart
            yield self.values
        yield self.table
        yield self.keys

    def on_mount(self) -> None:
        self.chart.focus()
        self.show()

    def show(self) -> None:
        """Show the model again."""
        genre, value = self.chart.key
        self.heading.update(f" {genre}" + (f" · {value}" if value else ""))
        runs = self._shown = self.chart.runs
        if runs:
            self._controllers.assessments.request(self.chart.first)
        self.table.styles.height = min(len(runs) + 1, max(3, self.size.height // 4))
        self.table.show(runs, self.model.options)
        self.chart.redraw()
        self.values.refresh()

    def runs_updated(self, updates: RunUpdates, *, structural: bool) -> None:
        if self.chart.runs != self._shown:
            self.show()

    def options_changed(self, options: AbstractSet[str]) -> None:
        self.show()

    def summary_ready(self) -> None:
        self.values.refresh()
        self.table.refresh()

    def assessment_ready(self, assessment: Assessment) -> None:
        self.values.refresh()

    def repaint(self) -> None:
        self.chart.invalidate()
        self.show()
        self.keys.redraw()

    def _move_cursor(self, by: int) -> None:
        self.chart.move_cursor(by)
        self.values.refresh()

    def _step_cell(self, by: int) -> None:
        arrangement = self.model.arrangement
        keys = [
            key
            for row in arrangement.rows
            for column in arrangement.columns
            if (key := (row, column)) in arrangement.members
        ]
        if self.chart.key in keys:
            self.chart.key = keys[(keys.index(self.chart.key) + by) % len(keys)]
            self.show()

    def on_click(self) -> None:
        self.values.refresh()
