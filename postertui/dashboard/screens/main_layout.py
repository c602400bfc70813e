"""The main screen's regions, and how the model is shown in them."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import Reactive
from textual.widget import Widget

from postertui.dashboard.context import Context
from postertui.dashboard.screens.base import DashboardScreen
from postertui.dashboard.screens.first_steps import first_steps
from postertui.dashboard.state.assessment import Assessment
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.status_line import outlook_text, queue_text, state_text
from postertui.dashboard.table.columns import BY_ID
from postertui.dashboard.widgets.chart_grid import ChartGrid
from postertui.dashboard.widgets.device_panel import DevicePanel
from postertui.dashboard.widgets.filter_bar import FilterBar, FilterHints
from postertui.dashboard.widgets.key_bar import KeyBar
from postertui.dashboard.widgets.run_detail import RunDetail
from postertui.dashboard.widgets.run_table import RunTable
from postertui.dashboard.widgets.top_bar import TopBar
from postertui.system.text import to_single_line

#: Below this many columns the table keeps to its most important columns.
NARROW = 110

#: Options that change only the order of the table, and those that hide and show regions.
TABLE_OPTIONS = {"sort", "reverse", "group"}
LAYOUT_OPTIONS = {"layout", "devices"}


class MainLayout(DashboardScreen[None]):
    """The regions: status, devices, filter, table, grid, keys."""

    #: What gets or loses the keys shows it by itself; Textual would draw the whole screen anew.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        styles, ascii_only = context.styles, context.setup.ascii_only
        self.top = TopBar(styles)
        self.devices = DevicePanel(styles, ascii_only=ascii_only)
        self.bar = FilterBar(self.model.completions, self.model.options.filter)
        self.hints = FilterHints(self.bar)
        self.table = RunTable(styles, id="table")
        self.detail = RunDetail(styles)
        self.grid = ChartGrid(
            styles,
            ascii_only=ascii_only,
            has_pending_key=lambda: context.shell.has_pending_key,
            id="grid",
        )
        self.keys = KeyBar(styles)

    def compose(self) -> ComposeResult:
        yield self.top
        yield self.devices
        yield self.bar
        with Horizontal(id="regions"):
            with Vertical(id="left"):
                yield self.table
                yield self.detail
            yield self.grid
        yield self.keys
        yield self.hints

    def on_mount(self) -> None:
        self._divide()
        self._focus_region()
        self._show_devices()
        self.show_all()

    def on_resize(self, event: events.Resize) -> None:
        self._divide()

    # What changed

    def runs_updated(self, updates: RunUpdates, *, structural: bool) -> None:
        """Show what has changed, and nothing else."""
        if structural:
            self.show_all()
            return
        changed = {n: r for n, r in updates.changed.items() if n in self.model.shown}
        if changed:
            self.grid.update_runs(changed)
            if BY_ID[self.model.options.sort].is_dynamic:
                self.show_table()
            else:
                self.table.update_runs(changed)
        self.show_status()

    def options_changed(self, options: AbstractSet[str]) -> None:
        if "layout" in options:
            self._divide()
            self._focus_region()
        if "devices" in options:
            self._show_devices()
        if options <= LAYOUT_OPTIONS:
            return
        if options <= TABLE_OPTIONS:
            self.show_table()
        else:
            self.show_all()

    def selection_changed(self) -> None:
        self.show_all()

    def marks_changed(self) -> None:
        self.show_table()

    def assessment_ready(self, assessment: Assessment) -> None:
        self.show_detail()

    def machine_changed(self) -> None:
        self.show_status()
        self._show_devices()

    def repaint(self) -> None:
        self.show_all()
        for bar in (self.top, self.keys):
            bar.redraw()

    # Showing

    def show_all(self) -> None:
        """Show the model anew."""
        self.show_table()
        self._divide()
        self.grid.empty = self._advice()
        self.grid.show(self.model.arrangement, self.model.shown, self.model.options)
        self.show_status()

    def show_table(self) -> None:
        model = self.model
        self.table.empty = () if model.runs else ("no runs",)
        if model.runs and not model.shown:
            self.table.empty = ("no run matches",)
        pinned = model.pinned & model.shown.keys()
        self.table.show(list(model.shown.values()), model.options, pinned, model.marked)

    def show_detail(self) -> None:
        run = self.table.current
        self.detail.show(run, self.model.assessments.get(run.name) if run else None)

    def show_status(self) -> None:
        """Show the folder, the runs' states, the queue, and what came of the filter."""
        model, setup = self.model, self.context.setup
        if (problem := self.context.feed.error) is not None:
            text = f" cannot read {to_single_line(problem, 200)}"
            self.top.show(((" postertui ", "brand"), (text, "failed")), ())
            return
        left = state_text(setup.runs_shown, model.counts(), loaded=model.loaded)
        right = outlook_text(*model.outlook(), paused=model.is_paused, idle=model.is_idle)
        if setup.notice:
            right = ((f" {setup.notice} ", "accent"), *right)
        self.top.show(left, right)
        if model.filter_error:
            self.bar.show_result(model.filter_error, wrong=True)
        elif len(model.shown) == len(model.runs):
            self.bar.show_result(f"{len(model.runs)} runs")
        else:
            self.bar.show_result(f"{len(model.shown)} of {len(model.runs)} runs")

    def _show_devices(self) -> None:
        """Bring the device panel up to date."""
        self.devices.display = self.model.options.devices
        machine = self.model.machine
        if machine is None or not self.model.options.devices:
            return
        left, rate = self.model.outlook()
        counts = self.model.counts()
        queue = queue_text(machine.status, counts, left, rate, paused=machine.paused)
        self.devices.show(machine.devices, queue, machine.note)

    def _advice(self) -> tuple[str, ...]:
        """The grid's text when there is nothing to draw."""
        if not self.model.loaded:
            return ("reading the runs …",)
        if self.model.runs:
            return ("No run matches the filter.", "", "/ and then Ctrl+U clears it.")
        return first_steps(self.context.setup)

    # Layout

    def _focus_region(self) -> None:
        (self.grid if self.model.options.layout == "grid" else self.table).focus()

    def _divide(self) -> None:
        """Show the regions of the layout, and give the table as much of the width as is good."""
        left, (width, height) = self.query_one("#left"), self.size
        layout = self.model.options.layout
        # Without runs the grid has everything, to say what to do.
        left.display = bool(self.model.runs) and layout != "grid"
        self.grid.display = layout != "table" or not self.model.runs
        if layout == "table":
            left.styles.width = "1fr"
        elif width < NARROW:
            left.styles.width = min(36, max(20, width * 9 // 20))
        else:
            left.styles.width = max(46, self.table.natural_width(min(76, width * 2 // 5)))
        self.detail.display = height >= 20
        self.detail.styles.height = 5 if height < 40 else 8
        if self.focused is None and left.display:
            self.table.focus()
