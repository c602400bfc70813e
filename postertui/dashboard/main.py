"""The main screen: the table of runs, the grid of curves, the filter above, the keys below."""

from __future__ import annotations

from textual import on, work
from textual.binding import Binding
from textual.widgets import Input

from postertui.dashboard.charts.grid import ChartGrid
from postertui.dashboard.charts.panels import COMPARED
from postertui.dashboard.figure.actions import FIGURE_BINDINGS, FigureActions
from postertui.dashboard.filter.bar import FilterBar, FilterInput
from postertui.dashboard.filter.checklists import ChecklistScreen
from postertui.dashboard.judging import Judging
from postertui.dashboard.run_actions import RUN_BINDINGS, RunActions
from postertui.dashboard.table.widget import RunTable
from postertui.dashboard.view_actions import VIEW_BINDINGS, ViewActions
from postertui.dashboard.watch.actions import WATCH_BINDINGS, WatchActions


class MainScreen(ViewActions, RunActions, Judging, WatchActions, FigureActions):
    """Shows the model; what it is told by keys goes back into it."""

    BINDINGS = [
        # With priority, or what is typed right behind it would still go to the table as keys.
        Binding("slash", "filter", "Filter", id="filter.open", priority=True),
        *RUN_BINDINGS,
        *VIEW_BINDINGS,
        *FIGURE_BINDINGS,
        *WATCH_BINDINGS,
        Binding("c", "checklists", "Choose", id="filter.checklists",
                tooltip="genres and variants, by ticking"),
        Binding("w", "saved_filters", "filters", show=False, id="filter.saved",
                tooltip="saved filters"),
        Binding("tab", "other", "Table/grid", show=False, id="main.other", priority=False),
        Binding("escape", "back", "back", show=False, id="main.back"),
    ]  # fmt: skip

    @on(FilterBar.Changed)
    def _filter(self, event: FilterBar.Changed) -> None:
        self.hints.renew()
        self.filter_by(event.text, typing=bool(self.bar.hints()))

    @on(FilterInput.Focused)
    def _hint(self) -> None:
        self.hints.renew()

    @on(FilterInput.Left)
    def _filter_left(self) -> None:
        self.filter_by(self.bar.box.value)
        (self.grid if self.model.options.layout == "grid" else self.table).focus()

    @on(RunTable.Moved)
    def _moved(self, event: RunTable.Moved) -> None:
        run = event.run
        self.judge_soon(run)
        if run is None or not self.table.has_focus:
            return
        value = COMPARED[self.model.options.compare][1](run)
        self.grid.go_to((run.genre, value if self.grid.places.facet else ""))

    @on(RunTable.SortAsked)
    def _sort_asked(self, event: RunTable.SortAsked) -> None:
        self.sort_by(event.column)

    @on(ChartGrid.Opened)
    def _cell_opened(self, event: ChartGrid.Opened) -> None:
        from postertui.dashboard.charts.zoom import ZoomScreen

        self.app.push_screen(ZoomScreen(self.dashboard, event.key, self.grid.cursor))

    def on_checklist_screen_ticked(self, event: ChecklistScreen.Ticked) -> None:
        self.model.tick(event.field, event.without)
        self.show_all()
        self.state_changed()

    def filter_by(self, text: str, *, typing: bool = False) -> None:
        """Show the runs that `text` lets through, or what is wrong with it."""
        if text == self.model.options.filter and not self.model.filter_error:
            return
        if self.model.set_filter(text, typing=typing):
            self.show_all()
            self.state_changed()
        self.show_status()

    def apply_filter(self, text: str) -> None:
        """Filter by `text` as if it had been typed."""
        self.bar.box.value = text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "filter" and isinstance(self.focused, Input):
            return False  # there, a slash is a letter
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        self.set_focus(self.bar.box)

    def action_checklists(self) -> None:
        self.app.push_screen(ChecklistScreen(self.model))

    @work
    async def action_saved_filters(self) -> None:
        from postertui.dashboard.filter.saved import SavedFiltersScreen

        text = await self.app.push_screen_wait(SavedFiltersScreen(self.model.options.filter))
        if text is not None:
            self.apply_filter(text)

    def action_other(self) -> None:
        if self.model.options.layout == "both":
            (self.grid if self.table.has_focus else self.table).focus()
        else:
            self.set_layout("grid" if self.model.options.layout == "table" else "table")

    def action_back(self) -> None:
        """Undo the most passing thing first: the epoch cursor, then marks."""
        if self.grid.cursor is not None:
            self.grid.set_cursor(None)
        elif self.model.marked:
            self.model.marked.clear()
            self.show_table()

    def action_launch(self) -> None:
        self.dashboard.launch()
