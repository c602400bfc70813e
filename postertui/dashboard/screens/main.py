"""The main screen: the table of runs, the grid of curves, the filter above, the keys below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from textual import on
from textual.timer import Timer
from textual.widgets import Input

from postertui.dashboard.actions.keymap import Keymap
from postertui.dashboard.actions.palette import Command, action_commands
from postertui.dashboard.actions.registry import MAIN_REGIONS, bindings
from postertui.dashboard.context import Context
from postertui.dashboard.controllers.controllers import Controllers
from postertui.dashboard.dialogs.checklists import ChecklistScreen
from postertui.dashboard.dialogs.saved_filters import SavedFiltersScreen
from postertui.dashboard.screens.base import Handler
from postertui.dashboard.screens.main_layout import MainLayout
from postertui.dashboard.screens.sight import Sight
from postertui.dashboard.state.arrangement import compared_value
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.targets import Targets
from postertui.dashboard.widgets.chart_grid import ChartGrid
from postertui.dashboard.widgets.filter_bar import FilterBar, FilterInput
from postertui.dashboard.widgets.run_table import RunTable
from postertui.dashboard.widgets.summary_matrix import SummaryMatrix
from postertui.system.text import pluralize

#: Up to this many runs are filtered with each letter that is typed; more, once no letter was typed
#: for the pause, in seconds.
FILTER_AT_ONCE, FILTER_PAUSE = 1000, 0.12


class MainScreen(MainLayout):
    """Brings the regions of the layout, the actions and the model together."""

    BINDINGS = bindings(*MAIN_REGIONS)

    def __init__(self, context: Context, controllers: Controllers) -> None:
        super().__init__(context)
        self._controllers = controllers
        self._filter_timer: Timer | None = None
        self.sight = Sight(self)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return self._handlers

    def _make_handlers(self) -> dict[str, Handler]:
        view, runs = self._controllers.view, self._controllers.runs
        figures, machine = self._controllers.figures, self._controllers.machine
        return {
            "filter.open": lambda: self.set_focus(self.bar.box),
            "filter.checklists": self._open_checklists,
            "filter.saved": self._open_saved_filters,
            "main.other": self._focus_other,
            "main.back": self._clear_transient,
            "run.launch": self.context.shell.open_launch_form,
            "run.cancel": lambda: runs.cancel(self.targets()),
            "run.retry": lambda: runs.retry(self.targets()),
            "run.undo": runs.undo,
            "run.pause": runs.toggle_pause,
            "run.hold": lambda: runs.toggle_hold(self.targets()),
            "run.raise": lambda: runs.raise_priority(self.targets(), 1),
            "run.lower": lambda: runs.raise_priority(self.targets(), -1),
            "run.mark": self._toggle_mark,
            "run.mark-all": runs.toggle_all_marks,
            "run.pin": lambda: runs.toggle_pin(self.targets()),
            "run.tags": lambda: runs.ask_tags(self.targets()),
            "run.note": lambda: runs.ask_note(self.targets()),
            "view.summary": lambda: view.set(layout="summary"),
            "view.curves": view.show_curves,
            "view.runs": lambda: view.set(layout="table"),
            "view.undefined-genres": partial(view.toggle, "undefined_genres"),
            **{
                f"view.analysis-{question}": partial(self._ask, question)
                for question in ("compare", "leaderboard", "bars")
            },
            "view.metric": partial(view.step_metric, 1),
            "view.metric-back": partial(view.step_metric, -1),
            "view.overlay": view.toggle_overlay,
            "view.compare": view.step_compared,
            "view.choose-metric": view.choose_metric,
            "view.choose-compare": view.choose_compared,
            "view.choose-sort": view.choose_sort,
            "view.delta": partial(view.toggle, "delta"),
            "view.train": partial(view.toggle, "train"),
            "view.references": partial(view.toggle, "references"),
            "view.shared-y": partial(view.toggle, "shared_y"),
            "view.whole-y": partial(view.toggle, "whole_y"),
            "view.log-y": partial(view.toggle, "log_y"),
            "view.smoothing": view.step_smoothing,
            "view.seeds": view.toggle_seeds,
            "view.epochs": view.ask_epochs,
            "view.layout": view.step_layout,
            "view.more-columns": partial(self._change_columns, 1),
            "view.fewer-columns": partial(self._change_columns, -1),
            "view.epoch-back": partial(self.grid.move_cursor, -1),
            "view.epoch-on": partial(self.grid.move_cursor, 1),
            "view.sort": view.step_sort,
            "view.reverse": view.reverse_sort,
            "view.group": view.step_group,
            "figure.draw": lambda: figures.draw(self.sight.figure_runs()),
            "figure.last": figures.open_newest,
            "watch.devices": machine.toggle_devices,
        }

    def on_mount(self) -> None:
        self._handlers = self._make_handlers()
        self.context.feed.start()
        self._controllers.machine.start()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if parameters == ("filter.open",) and isinstance(self.focused, Input):
            return False  # there, a slash is a letter
        return super().check_action(action, parameters)

    def targets(self) -> Targets:
        """What an action is for; says where it leaves marked runs alone."""
        if hidden := self.sight.hidden_marks:
            self.context.shell.show_message(
                f"{pluralize(hidden, 'marked run')} hidden by the filter, left alone", "warning"
            )
        return self.sight.targets()

    def runs_updated(self, updates: RunUpdates, *, structural: bool) -> None:
        super().runs_updated(updates, structural=structural)
        run = self.table.current
        if run is not None and run.name in updates.changed:
            self._controllers.assessments.run_updated(run)

    # Messages of the regions

    @on(FilterBar.Changed)
    def _filter_changed(self, event: FilterBar.Changed) -> None:
        if self._filter_timer is not None:
            self._filter_timer.stop()
        if len(self.model.runs) <= FILTER_AT_ONCE:
            self._filter_as_typed()
        else:
            # Of letters that come faster than runs can be filtered, only the last one counts.
            self._filter_timer = self.set_timer(FILTER_PAUSE, self._filter_as_typed)

    def _filter_as_typed(self) -> None:
        self.hints.show_hints()
        self.filter_by(self.bar.box.value, typing=bool(self.bar.hints()))

    @on(FilterInput.Focused)
    def _filter_focused(self) -> None:
        self.hints.show_hints()

    @on(FilterInput.Left)
    def _filter_left(self) -> None:
        self.filter_by(self.bar.box.value)
        self.region_of(self.model.options.layout).focus()

    @on(RunTable.Moved)
    def _cursor_moved(self, event: RunTable.Moved) -> None:
        run = event.run
        self.show_detail()
        self._controllers.assessments.request(run)
        self.show_highlights()
        if run is None or not self.table.has_focus:
            return
        value = compared_value(self.model.options.compare)(run)
        self.grid.go_to((run.genre, value if self.grid.viewport.facet else ""))

    @on(RunTable.Opened)
    def _run_opened(self, event: RunTable.Opened) -> None:
        self.context.shell.open_run(event.run)

    @on(RunTable.SortRequested)
    def _sort_requested(self, event: RunTable.SortRequested) -> None:
        self._controllers.view.sort_by(event.column)

    @on(ChartGrid.Opened)
    def _cell_opened(self, event: ChartGrid.Opened) -> None:
        self.context.shell.open_cell(event.key, self.grid.cursor)

    @on(SummaryMatrix.Moved)
    def _summary_moved(self) -> None:
        self.summary.show_cell()

    @on(SummaryMatrix.Opened)
    def _summary_opened(self, event: SummaryMatrix.Opened) -> None:
        if self.model.options.compare != "variant" or self.model.options.mode != "facet":
            self._controllers.view.set(compare="variant", mode="facet")
        self.context.shell.open_cell((event.genre, event.variant), self.grid.cursor)

    # The command palette

    def action_commands(self, keymap: Keymap) -> Iterator[Command]:
        """A command for each action of this screen."""
        return action_commands(
            MAIN_REGIONS,
            keymap,
            lambda action: self._handlers[action.id],
            read_only=self.context.setup.read_only,
        )

    # Filters

    def filter_by(self, text: str, *, typing: bool = False) -> None:
        """Show the runs that `text` lets through, or what is wrong with it."""
        if text == self.model.options.filter and not self.model.filter_error:
            return
        if self.model.set_filter(text, typing=typing):
            self.context.shell.selection_changed()
        self.show_status()

    def apply_filter(self, text: str) -> None:
        """Filter by `text` as if it had been typed."""
        self.bar.box.value = text

    def _open_checklists(self) -> None:
        def exclude(field: str, values: tuple[str, ...]) -> None:
            self.model.exclude(field, values)
            self.context.shell.selection_changed()

        self.app.push_screen(ChecklistScreen(self.model, exclude))

    def _open_saved_filters(self) -> None:
        def apply(text: str | None) -> None:
            if text is not None:
                self.apply_filter(text)

        self.context.shell.ask(SavedFiltersScreen(self.model.options.filter), apply)

    # Moving about

    def _toggle_mark(self) -> None:
        """Mark what is under the cursor, and go on to what is below."""
        runs = self._controllers.runs
        if self.matrix.is_on_screen:
            runs.toggle_marks(self.matrix.runs_to_mark)
            self.matrix.action_move(1, 0)
            return
        runs.toggle_marks(self.sight.current_runs)
        if not self.grid.has_focus:
            self.table.action_move(1)

    def _ask(self, question: str) -> None:
        self.context.shell.open_analysis(question, self.sight.subject())

    def _change_columns(self, by: int) -> None:
        self._controllers.view.set(columns=max(1, self.grid.viewport.tiling.across + by))

    def _focus_other(self) -> None:
        layout = self.model.options.layout
        if layout == "both":
            (self.grid if self.table.has_focus else self.table).focus()
        else:
            self._controllers.view.set(layout="grid" if layout == "table" else "table")

    def _clear_transient(self) -> None:
        """Clear what passes first: the epoch cursor, then marks, then the filter."""
        if self.grid.cursor is not None:
            self.grid.set_cursor(None)
        elif self.model.marked:
            self._controllers.runs.clear_marks()
        elif self.model.options.filter:
            self.apply_filter("")
