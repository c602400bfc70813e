"""The application: it owns the feed, the model and the control, and brings screens together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.color import ColorSystem
from rich.console import RenderableType
from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from postertui.dashboard.control import Control
from postertui.dashboard.live.feed import Feed
from postertui.dashboard.live.pace import epochs_per_second, remaining
from postertui.dashboard.main import MainScreen
from postertui.dashboard.memory import Config, save_view
from postertui.dashboard.model import Model
from postertui.dashboard.options import Options
from postertui.dashboard.plain import PlainText
from postertui.dashboard.safe import clean
from postertui.dashboard.screens.help import HelpScreen
from postertui.dashboard.screens.palette import EverythingProvider
from postertui.dashboard.setup import Setup
from postertui.dashboard.sparing import SparingScreen
from postertui.dashboard.theme import PALETTES, Styles, theme_of
from postertui.dashboard.watch.announce import happenings

#: The view is written down this long after its last change.
REMEMBER_AFTER = 1.0

#: A key that changes nothing on the screen waits no longer than this.
KEY_WAITS = 0.06


class RunsChanged(Message):
    """The feed has news. However many are posted, one is handled."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsChanged)


class DashboardApp(App[None]):
    """The dashboard on the runs of `setup`, with the view as it was left in `options`.

    `at_rest` is called each time when much has been made that stays: after the first reading, and
    after the libraries of the analysis have been imported.
    """

    CSS_PATH = "dashboard.tcss"
    TITLE = "postertui"
    COMMANDS = {EverythingProvider}
    BINDINGS = [
        Binding("question_mark", "help", "Help", id="app.help"),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("ctrl+p,colon", "command_palette", "commands", show=False, id="app.commands",
                tooltip="everything by name"),
        Binding("T", "next_theme", "theme", show=False, id="app.theme",
                tooltip="dark, light, colour-blind"),
        Binding("ctrl+l", "redraw", "redraw", show=False, id="app.redraw",
                tooltip="the whole screen, if something else wrote on it"),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, id="app.suspend",
                tooltip="back to the shell; `fg` returns", system=True),
        Binding("ctrl+c", "quit", "quit", show=False, id="app.interrupt", system=True),
    ]  # fmt: skip

    def __init__(
        self,
        setup: Setup,
        options: Options | None = None,
        config: Config | None = None,
        *,
        at_rest: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.at_rest = at_rest
        self.setup = setup
        self.config = config or Config()
        options = options or Options()
        self.model = Model(options)
        self.model.set_filter(options.filter if setup.filter is None else setup.filter)
        self.control = Control(setup.runs, read_only=setup.read_only)
        self.feed = Feed(setup.runs, lambda: self.post_message(RunsChanged()))
        for name in PALETTES:
            self.register_theme(theme_of(name))
        wanted = setup.theme or self.model.options.theme or self.config.theme
        self.theme = wanted if wanted in PALETTES else "dark"
        self.book = Styles(PALETTES[self.theme])
        self.set_keymap(self.config.keys)
        self._plain = [PlainText()] if setup.ascii_only else []
        self._sparing = SparingScreen()
        self._finished: deque[tuple[float, int]] = deque(maxlen=64)
        self._remembering: Timer | None = None
        self._pressed: float | None = None
        self._rested = False

    def get_default_screen(self) -> MainScreen:
        self._main = MainScreen(self, self.model)
        return self._main

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._plain]

    @property
    def main(self) -> MainScreen:
        return self._main

    @property
    def where(self) -> str:
        """The runs folder as the user would call it."""
        path = str(self.setup.runs)
        home = str(Path.home())
        return clean(path.replace(home, "~", 1) if path.startswith(home) else path, 40)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        # Textual has no public place between what it drew and what it sends.
        colours = self.console._color_system or ColorSystem.TRUECOLOR
        super()._display(screen, self._sparing.spare(renderable, self.size, colours))
        self._pressed = None

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self._pressed = time.monotonic()
        await super().on_event(event)

    @property
    def key_waits(self) -> bool:
        """Whether a key was pressed just now and nothing has been shown since."""
        return self._pressed is not None and time.monotonic() - self._pressed < KEY_WAITS

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw(), immediate=True)

    def action_redraw(self) -> None:
        self._sparing.forget()
        self.screen.refresh(layout=True)

    def on_unmount(self) -> None:
        self.feed.stop()
        if self._remembering is not None:
            self._keep_view()

    # The runs

    def on_runs_changed(self) -> None:
        if not self.main.is_attached or not self.is_running:
            return
        news = self.feed.drain()
        gained = sum(
            max(0, run.epoch - (old.epoch if old else run.epoch))
            for name, run in news.changed.items()
            for old in (self.model.runs.get(name),)
        )
        if gained:
            self._finished.append((time.monotonic(), gained))
        happened = happenings(self.model.runs, news.changed, news.gone)
        self.main.take(news)
        self.main.tell(happened)
        for screen in self.screen_stack:
            take_news = getattr(screen, "take_news", None)
            if take_news is not None:
                take_news()
        if not self._rested and self.feed.store.is_complete:
            self._rested = True
            self.call_after_refresh(self.at_rest)

    def pace(self) -> tuple[float | None, float | None]:
        """Seconds until the queue is empty, and epochs a second; None where unknown."""
        rate = epochs_per_second(list(self._finished), time.monotonic())
        return remaining(self.model.runs.values(), rate), rate

    def launch(self) -> None:
        """Open the form that starts runs."""
        from postertui.dashboard.launching.screen import LaunchScreen

        def started(done: str | None) -> None:
            if done:
                self.main.say(done)

        self.push_screen(LaunchScreen(self), started)

    # The view

    def remember(self) -> None:
        """Keep the view for the next session, once it has come to rest."""
        if self._remembering is not None:
            self._remembering.stop()
        self._remembering = self.set_timer(REMEMBER_AFTER, self._keep_view)

    def _keep_view(self) -> None:
        self._remembering = None
        save_view(self.setup.runs, self.model.options)

    def choose_theme(self, name: str) -> None:
        """Use the theme `name` from now on, and in the next session."""
        self.theme = name
        self.book.use(PALETTES[name])
        self.model.set_options(theme=name)
        for screen in self.screen_stack:
            repaint = getattr(screen, "repaint", None)
            if repaint is not None:
                repaint()
        self.remember()

    def action_next_theme(self) -> None:
        names = list(PALETTES)
        self.choose_theme(names[(names.index(self.theme) + 1) % len(names)])
        self.notify(f"theme: {self.theme}", timeout=2)

    def keys_of(self, binding: Binding) -> str:
        """The binding's keys, the user's own where there are some; several with commas."""
        return self._keymap.get(binding.id or "", binding.key)

    def action_help(self) -> None:
        from postertui.dashboard.screens.sections import help_sections

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(help_sections(self.main, self.screen)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """None of Textual's own: `EverythingProvider` has them all, in this program's words."""
        return ()
