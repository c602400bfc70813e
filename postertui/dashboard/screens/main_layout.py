"""The main screen's regions, and how the model is shown in them."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import Reactive
from textual.widget import Widget

from postertui.dashboard.charts.titles import Verdicts
from postertui.dashboard.context import Context
from postertui.dashboard.screens.base import DashboardScreen
from postertui.dashboard.screens.first_steps import first_steps
from postertui.dashboard.screens.machine_regions import MachineRegions
from postertui.dashboard.screens.summary_region import SummaryRegion
from postertui.dashboard.state.assessment import Assessment
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.status_line import outlook_text, state_text
from postertui.dashboard.table.columns import BY_ID, RunFacts
from postertui.dashboard.table.group_means import group_means
from postertui.dashboard.widgets.chart_grid import ChartGrid
from postertui.dashboard.widgets.filter_bar import FilterBar, FilterHints
from postertui.dashboard.widgets.key_bar import KeyBar
from postertui.dashboard.widgets.run_detail import RunDetail
from postertui.dashboard.widgets.run_table import RunTable
from postertui.dashboard.widgets.top_bar import TopBar
from postertui.system.text import pluralize, to_single_line

#: Below this many columns the table keeps to its most important columns.
NARROW = 110

#: What the first line says of an idle queue where the whole message has no room.
NO_SUPERVISOR = "no supervisor: r starts one"

#: Options that change only the order of the table, and those that hide and show regions.
TABLE_OPTIONS = {"sort", "reverse", "group"}
LAYOUT_OPTIONS = {"devices"}

#: Lines from which on the verdict on a run has its place below the table.
DETAIL_HEIGHT = 20


class MainLayout(DashboardScreen[None]):
    """The regions: status, devices, filter, table, grid, keys."""

    #: What gets or loses the keys shows it by itself; Textual would draw the whole screen again.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        styles, ascii_only = context.styles, context.setup.ascii_only
        self.top = TopBar(styles)
        self.machine = MachineRegions(context)
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
        self.summary = SummaryRegion(context)
        self.matrix, self.genre_grid = self.summary.matrix, self.summary.genre_grid
        self.table.facts = RunFacts(self.model.verdict, self.model.remaining)
        for grid in (self.grid, self.genre_grid):
            grid.verdicts = Verdicts(self.model.margin, self.model.difference)
            grid.panels.basis_of = self.model.delta_basis
        self.keys = KeyBar(styles, read_only=context.setup.read_only)

    def compose(self) -> ComposeResult:
        yield self.top
        yield self.machine.panel
        yield self.bar
        with Horizontal(id="regions"):
            with Vertical(id="left"):
                yield self.table
                yield self.detail
            yield self.grid
            yield self.summary
        yield self.machine.strip
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
        if self._is_summary:
            self._show_summary()
            self.show_status()
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
        if self._is_summary:
            self._show_summary()
        else:
            self.show_table()
        self.show_status()

    def assessment_ready(self, assessment: Assessment) -> None:
        self.show_detail()

    def summary_ready(self) -> None:
        if self._is_summary:
            self._show_summary()
        else:
            if self.model.options.group:
                self.show_table()
            self.table.refresh()
            self.grid.redraw_titles()
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
        """Show the model again."""
        self._divide()
        if self._is_summary:
            self._show_summary()
            self.show_status()
            return
        self.show_table()
        self.grid.empty = self._advice()
        self.show_highlights()
        self.grid.show(self.model.arrangement, self.model.shown, self.model.options)
        self.show_status()

    @property
    def _is_summary(self) -> bool:
        return self.model.options.layout == "summary" and bool(self.model.runs)

    def _show_summary(self) -> None:
        """Show the matrix of the shown runs, and what is under its cursor."""
        if self.summary.show():
            self._divide()

    def show_table(self) -> None:
        model = self.model
        self.table.empty = () if model.runs else ("no runs",)
        if model.runs and not model.shown:
            self.table.empty = ("no run matches",)
        pinned = model.pinned & model.shown.keys()
        group = model.options.group
        means = group_means(model.summary, group) if group else None
        self.table.show(list(model.shown.values()), model.options, pinned, model.marked, means)

    def show_highlights(self) -> None:
        """Have what matters beside the run under the cursor in full colour."""
        if self.model.options.mode == "overlay":
            self.grid.prefer(self.model.preferred_groups(self.table.current))

    def show_detail(self) -> None:
        run = self.table.current
        margin = self.model.margin(run) if run else None
        self.detail.show(run, margin, self.model.assessments.get(run.name) if run else None)

    def show_status(self) -> None:
        """Show the folder, the runs' states, the queue, and what came of the filter."""
        model, setup = self.model, self.context.setup
        if (problem := self.context.feed.error) is not None:
            text = f" cannot read {to_single_line(problem, 200)}"
            self.top.show(((" postertui ", "brand"), (text, "failed")), ())
            return
        hidden = sum(name not in model.shown for name in model.marked)
        left = state_text(
            setup.runs_shown,
            model.states.counts,
            loaded=model.loaded,
            marked=len(model.marked),
            hidden=hidden,
        )
        notice = ((f" {setup.notice} ", "accent"),) if setup.notice else ()
        outlook = model.outlook()
        right, narrow = (
            notice + outlook_text(*outlook, paused=model.is_paused, idle=idle)
            for idle in (model.idle_message, NO_SUPERVISOR if model.idle_message else "")
        )
        self.top.show(left, right, narrow)
        if model.filter_error:
            self.bar.show_result(model.filter_error, wrong=True)
        elif len(model.shown) == len(model.runs):
            self.bar.show_result(pluralize(len(model.runs), "run"))
        else:
            self.bar.show_result(f"{len(model.shown)} of {len(model.runs)} runs")
        self.machine.show_strip(self.size.height)

    def _show_devices(self) -> None:
        """Bring the strip and the device panel up to date."""
        self.machine.show(self.size.height)

    def _advice(self) -> tuple[str, ...]:
        """The grid's text when there is nothing to draw."""
        if not self.model.loaded:
            return ("reading the runs …",)
        if self.model.runs:
            return ("No run matches the filter.", "", "/ and then Ctrl+U clears it.")
        return first_steps(self.context.setup)

    # Layout

    def _focus_region(self) -> None:
        layout = self.model.options.layout
        self.region_of(layout).focus()

    def region_of(self, layout: str) -> Widget:
        """The region that has the keys first in a layout."""
        if layout == "summary" and self.model.runs:
            return self.matrix
        return self.grid if layout == "grid" else self.table

    def _divide(self) -> None:
        """Show the regions of the layout, and give the table as much of the width as is good."""
        left, (width, height) = self.query_one("#left"), self.size
        layout = self.model.options.layout
        # Without runs the grid has everything, to say what to do.
        is_summary = self._is_summary
        left.display = bool(self.model.runs) and layout != "grid" and not is_summary
        self.grid.display = (layout != "table" and not is_summary) or not self.model.runs
        self._divide_summary(is_summary)
        if layout == "table":
            left.styles.width = "1fr"
        elif width < NARROW:
            left.styles.width = min(36, max(20, width * 9 // 20))
        else:
            left.styles.width = max(46, self.table.natural_width(min(76, width * 2 // 5)))
        self.detail.display = height >= DETAIL_HEIGHT
        self.detail.styles.height = 5 if height < 40 else 8
        if self.focused is None and left.display:
            self.table.focus()

    def _divide_summary(self, shown: bool) -> None:
        """Give the matrix as many lines as it needs, and the curves below it the rest."""
        self.summary.display = shown
        if not shown:
            return
        self.summary.divide(self.size.height, self.size.height - 3 - self.machine.strip.display)
        if self.focused is None or not self.focused.display or self.focused is self.table:
            self.matrix.focus()
