"""The application: it owns the feed, the model and the control, and brings screens together."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

from textual.app import App
from textual.binding import Binding
from textual.message import Message

from postertui.dashboard.control import Control
from postertui.dashboard.live.feed import Feed
from postertui.dashboard.main import MainScreen
from postertui.dashboard.model import Model
from postertui.dashboard.options import Options
from postertui.dashboard.safe import clean
from postertui.dashboard.screens.help import HelpScreen
from postertui.dashboard.setup import Setup
from postertui.dashboard.theme import PALETTES, Styles, theme_of


class RunsChanged(Message):
    """The feed has news. However many are posted, one is handled."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsChanged)


class DashboardApp(App[None]):
    """The dashboard on the runs of `setup`."""

    CSS_PATH = "dashboard.tcss"
    TITLE = "postertui"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = [
        Binding("question_mark", "help", "Help", id="app.help"),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("ctrl+c", "quit", "quit", show=False, id="app.interrupt", system=True),
    ]

    def __init__(self, setup: Setup, options: Options | None = None) -> None:
        super().__init__()
        self.setup = setup
        options = options or Options()
        self.model = Model(options)
        self.model.set_filter(setup.filter if setup.filter is not None else options.filter)
        self.control = Control(setup.runs, read_only=setup.read_only)
        self.feed = Feed(setup.runs, lambda: self.post_message(RunsChanged()))
        for name in PALETTES:
            self.register_theme(theme_of(name))
        name = setup.theme or options.theme
        self.theme = name if name in PALETTES else "dark"
        self.book = Styles(PALETTES[self.theme])
        self._finished: deque[tuple[float, int]] = deque(maxlen=64)

    def get_default_screen(self) -> MainScreen:
        self._main = MainScreen(self, self.model)
        return self._main

    @property
    def main(self) -> MainScreen:
        return self._main

    @property
    def where(self) -> str:
        """The runs folder as the user would call it."""
        path = str(self.setup.runs)
        home = str(Path.home())
        return clean(path.replace(home, "~", 1) if path.startswith(home) else path, 40)

    def on_unmount(self) -> None:
        self.feed.stop()

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
        self.main.take(news)

    def pace(self) -> tuple[float | None, float | None]:
        """Seconds until the queue is empty, and epochs a second; None where unknown."""
        from postertui.dashboard.live.pace import epochs_per_second, remaining

        rate = epochs_per_second(list(self._finished), time.monotonic())
        return remaining(self.model.runs.values(), rate), rate

    def remember(self) -> None:
        """Keep the view for the next session."""

    def launch(self) -> None:
        """Open the form that starts runs."""

    def first_steps(self) -> tuple[str, ...]:
        """What to do when there are no runs."""
        if not (self.setup.data / "dataset.json").exists():
            return (
                "Nothing here yet.",
                "",
                "Try it out:          postertui demo",
                "Build your data:     postertui data build --posters DIR --labels FILE.csv",
                "Look at old results: postertui import PATH",
                "",
                "This screen fills by itself as runs appear in " + self.where + ".",
            )
        return (
            "The data is ready; nothing has been trained yet.",
            "",
            "Press n to choose a study, its variants and genres.",
        )

    def action_help(self) -> None:
        from postertui.dashboard.screens.sections import help_sections

        self.push_screen(HelpScreen(help_sections(self.main, self.setup.ascii_only)))
