"""The application: it owns what screens share, opens them, and passes on what changed.

The only module that names screens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from textual.app import SystemCommand
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from postertui.dashboard.actions.help_sections import help_sections
from postertui.dashboard.actions.palette import Command, CommandProvider, action_commands
from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.context import Context, Severity
from postertui.dashboard.controllers.controllers import Controllers
from postertui.dashboard.screens.base import DashboardScreen
from postertui.dashboard.screens.help import HelpScreen
from postertui.dashboard.screens.main import MainScreen
from postertui.dashboard.screens.main_choices import main_choices
from postertui.dashboard.setup import Setup
from postertui.dashboard.state.announcements import find_announcements
from postertui.dashboard.state.arrangement import Key
from postertui.dashboard.state.assessment import Assessment
from postertui.dashboard.state.feed import RunFeed
from postertui.dashboard.state.persistence import UserConfig, save_view
from postertui.dashboard.state.run_control import RunControl
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.targets import Subject
from postertui.dashboard.state.view_model import ViewModel
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.terminal.terminal_app import TerminalApp
from postertui.dashboard.terminal.theme import PALETTES, ThemeStyles, theme_of

#: The view is written down this long after its last change.
SAVE_AFTER = 1.0

T = TypeVar("T")


class RunsChanged(Message):
    """The feed has changes. However many are posted, one is handled."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsChanged)


class DashboardApp(TerminalApp):
    """The dashboard on the runs of `setup`, with the view as it was left in `options`.

    It is the `Shell` of the context. `at_rest` is called each time when much has been made that
    stays: after the first reading, and after the libraries of the analysis have been imported.
    """

    CSS_PATH = "dashboard.tcss"
    TITLE = "postertui"
    COMMANDS = {CommandProvider}
    BINDINGS = bindings("app")

    def __init__(
        self,
        setup: Setup,
        options: ViewOptions | None = None,
        config: UserConfig | None = None,
        *,
        at_rest: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(ascii_only=setup.ascii_only)
        self._at_rest = at_rest
        config = config or UserConfig()
        options = options or ViewOptions()
        self.model = ViewModel(options)
        self.model.set_filter(options.filter if setup.filter is None else setup.filter)
        for name in PALETTES:
            self.register_theme(theme_of(name))
        theme = setup.theme or options.theme or config.theme
        self.theme = theme if theme in PALETTES else "dark"
        self.set_keymap(config.keys)
        self.context = Context(
            setup=setup,
            config=config,
            model=self.model,
            control=RunControl(
                setup.runs, read_only=setup.read_only, describe=self.model.describe_runs
            ),
            feed=RunFeed(setup.runs, lambda: self.post_message(RunsChanged())),
            styles=ThemeStyles(PALETTES[self.theme]),
            shell=self,
        )
        self.controllers = Controllers(self.context)
        self._saving: Timer | None = None
        self._is_complete = False

    def get_default_screen(self) -> MainScreen:
        self._main = MainScreen(self.context, self.controllers)
        return self._main

    @property
    def main(self) -> MainScreen:
        return self._main

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw(), immediate=True)

    def on_unmount(self) -> None:
        self.context.feed.stop()
        self.controllers.close()
        if self._saving is not None:
            self._save_view()

    # The shell

    def show_message(
        self, text: str, severity: Severity = "information", *, title: str = "", seconds: float = 4
    ) -> None:
        self.notify(text, title=title, severity=severity, markup=False, timeout=seconds)

    def ring(self) -> None:
        self.bell()

    def ask(self, dialog: Screen[T], then: Callable[[T | None], None]) -> None:
        self.push_screen(dialog, then)

    def in_thread(self, work: Callable[[], object], group: str, *, exclusive: bool = False) -> None:
        self.run_worker(work, thread=True, group=group, exclusive=exclusive)

    def from_thread(self, callback: Callable[..., object], *arguments: Any) -> None:
        self.call_later(callback, *arguments)

    def later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        return self.set_timer(seconds, callback)

    def settle_memory(self) -> None:
        self._at_rest()

    # Screens

    def open_run(self, run: RunView) -> None:
        from postertui.dashboard.screens.run import RunScreen

        self.push_screen(RunScreen(self.context, run))

    def open_cell(self, key: Key, epoch: int | None) -> None:
        from postertui.dashboard.screens.cell import CellScreen

        self.push_screen(CellScreen(self.context, self.controllers, key, epoch))

    def open_analysis(self, question: str, subject: Subject) -> None:
        from postertui.dashboard.screens.analysis import AnalysisScreen

        self.push_screen(AnalysisScreen(self.context, question, subject))

    def open_launch_form(self) -> None:
        from postertui.dashboard.screens.launch import LaunchScreen

        def started(message: str | None) -> None:
            if message:
                self.show_message(message)

        self.push_screen(LaunchScreen(self.context), started)

    def open_preview(self, paths: Sequence[Path]) -> None:
        from postertui.dashboard.screens.preview import make_preview

        self.push_screen(make_preview(self, paths))

    def action_help(self) -> None:
        screen = self.screen
        if isinstance(screen, HelpScreen):
            return
        regions = screen.HELP_REGIONS if isinstance(screen, DashboardScreen) else ()
        self.push_screen(
            HelpScreen(
                help_sections(
                    regions, self.context.config.keys, read_only=self.context.setup.read_only
                )
            )
        )

    def palette_commands(self) -> Iterator[Command]:
        """Everything that can be done from the main screen, actions with keys first."""
        keymap = self.context.config.keys
        yield from self.main.action_commands(keymap)
        yield from action_commands(("app",), keymap, lambda a: partial(self.run_action, a.command))
        yield from main_choices(
            self.controllers.view,
            self.model.arrangement,
            self.main.apply_filter,
            self.main.grid.go_to,
        )
        for name in PALETTES:
            yield Command(f"theme: {name}", partial(self.choose_theme, name))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """None of Textual's own: `CommandProvider` has them all, in this program's words."""
        return ()

    # What changed

    def _screens(self) -> Iterator[DashboardScreen[Any]]:
        return (screen for screen in self.screen_stack if isinstance(screen, DashboardScreen))

    def on_runs_changed(self) -> None:
        if not self.main.is_attached or not self.is_running:
            return
        updates = self.context.feed.drain()
        announcements = find_announcements(
            self.model.runs, self.model.states.open_runs, updates.changed, updates.removed
        )
        structural = self.model.update(updates)
        if self.model.options.layout == "auto":
            self._choose_layout()
        for screen in self._screens():
            screen.runs_updated(updates, structural=structural)
        self.controllers.summary.runs_updated(updates, structural=structural)
        self.controllers.machine.announce(announcements)
        if not self._is_complete and self.context.feed.store.is_complete:
            self._is_complete = True
            self.controllers.machine.sample_devices()
            self.call_after_refresh(self._at_rest)

    def _choose_layout(self) -> None:
        """The first time: the summary where there is something to compare, else the curves."""
        if self.model.has_finished_variants:
            self.controllers.view.set(layout="summary")
        elif self.context.feed.store.is_complete and self.model.runs:
            self.controllers.view.set(layout="both")

    def options_changed(self, options: AbstractSet[str]) -> None:
        self.controllers.summary.options_changed(options)
        for screen in self._screens():
            screen.options_changed(options)
        self._save_view_soon()

    def selection_changed(self) -> None:
        for screen in self._screens():
            screen.selection_changed()
        self._save_view_soon()

    def marks_changed(self) -> None:
        for screen in self._screens():
            screen.marks_changed()

    def assessment_ready(self, assessment: Assessment) -> None:
        for screen in self._screens():
            screen.assessment_ready(assessment)

    def summary_ready(self) -> None:
        for screen in self._screens():
            screen.summary_ready()

    def machine_changed(self) -> None:
        for screen in self._screens():
            screen.machine_changed()

    # The view between sessions

    def _save_view_soon(self) -> None:
        """Keep the view for the next session, once it has come to rest."""
        if self._saving is not None:
            self._saving.stop()
        self._saving = self.set_timer(SAVE_AFTER, self._save_view)

    def _save_view(self) -> None:
        self._saving = None
        save_view(self.context.setup.runs, self.model.options)

    def choose_theme(self, name: str) -> None:
        """Use the theme `name` from now on, and in the next session."""
        self.theme = name
        self.context.styles.use(PALETTES[name])
        self.model.set_options(theme=name)
        for screen in self._screens():
            screen.repaint()
        self._save_view_soon()

    def action_next_theme(self) -> None:
        names = list(PALETTES)
        self.choose_theme(names[(names.index(self.theme) + 1) % len(names)])
        self.show_message(f"theme: {self.theme}", seconds=2)
