"""One run: how it stands, its last error, its log, its config and the difference to another's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Static

from postertui.dashboard.live.view import RunView
from postertui.dashboard.numbers import always_yes, duration, score
from postertui.dashboard.safe import clean, fit
from postertui.dashboard.screens.keybar import KeyBar
from postertui.dashboard.screens.prompt import PromptScreen
from postertui.dashboard.watch.config import entries
from postertui.dashboard.watch.log import LogReader, last_error
from postertui.dashboard.watch.logview import LogView
from postertui.dashboard.watch.picker import RunPicker
from postertui.runs import layout
from postertui.runs.lifecycle import CLOSED_STATES
from postertui.runs.spec import RunSpec, read_spec
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.dashboard.app import DashboardApp


class RunScreen(Screen[None]):
    """Log or config of `run`; follows it as it goes on."""

    BINDINGS = [
        Binding("escape,q", "dismiss", "Back", id="run.back"),
        Binding("tab,i", "switch", "Log/config", id="run.switch"),
        Binding("slash", "search", "Search", id="run.search"),
        Binding("n", "again(1)", "Next hit", id="run.next-hit"),
        Binding("N", "again(-1)", "previous hit", show=False, id="run.previous-hit"),
        Binding("d", "compare", "Compare with", id="run.compare"),
    ]

    def __init__(self, dashboard: DashboardApp, run: RunView) -> None:
        super().__init__()
        self.dashboard = dashboard
        self.run = run
        self.other: RunView | None = None
        self.book = dashboard.book
        self.folder = dashboard.setup.runs / run.name
        self.log_view = LogView(self.book, LogReader(self.folder / layout.LOG))

    def compose(self) -> ComposeResult:
        yield Static(id="run-head", markup=False)
        yield Static(id="run-error", markup=False)
        with ContentSwitcher(initial="run-log"):
            with VerticalScroll(id="run-log", can_focus=False):
                yield self.log_view
            with VerticalScroll(id="run-config"):
                yield Static(id="run-settings", markup=False)
        yield KeyBar(self.book)

    def on_mount(self) -> None:
        self.show()
        self.log_view.focus()
        self.set_interval(0.5, self._show_error)

    def take_news(self) -> None:
        """The run may have gone on."""
        self.run = self.dashboard.model.runs.get(self.run.name, self.run)
        self.show()

    def show(self) -> None:
        run = self.run
        head = Text(no_wrap=True)
        head.append(f" {run.genre} · {run.variant} ", style=self.book["selected"])
        head.append(f"  {run.state}", style=self.book[run.state])
        head.append(f"  epoch {run.epoch}/{run.epochs}", style=self.book["text"])
        head.append(
            f"  test F {score(run.newest())}, best {score(run.best())}", style=self.book["text"]
        )
        head.append(f"  always yes {score(always_yes(run.test_base_rate))}", style=self.book["dim"])
        facts = [f"seed {run.seed}", f"attempt {run.attempt}", run.device]
        if run.seconds is not None:
            facts.append(f"{duration(run.seconds)} an epoch")
        if run.remaining is not None:
            facts.append(f"{duration(run.remaining)} left")
        head.append("\n " + " · ".join(f for f in facts if f), style=self.book["dim"])
        head.append(f" · {clean(run.name)}", style=self.book["dim"])
        if run.tags:
            head.append("  " + " ".join(f"#{t}" for t in run.tags), style=self.book["accent"])
        if run.note:
            head.append(f"  {run.note}", style=self.book["accent"])
        self.query_one("#run-head", Static).update(head)
        ended = run.state in CLOSED_STATES
        self.log_view.empty = "the job printed nothing" if ended else "no log yet"
        self._show_error()
        self._show_config()

    def _show_error(self) -> None:
        run = self.run
        troubled = run.state in ("failed", "interrupted")
        found = last_error(self.log_view.lines) if troubled else None
        lines = [t for t in (run.reason if run.state != "done" else "", found or "") if t]
        error = self.query_one("#run-error", Static)
        error.display = bool(lines)
        if lines:
            width = max(10, self.size.width - 2)
            shown = [" " + fit(line, width).rstrip() for line in dict.fromkeys(lines)]
            error.update("\n".join(shown))

    def _show_config(self) -> None:
        settings = self.query_one("#run-settings", Static)
        try:
            mine = read_spec(self.folder)
            theirs = self._other_spec()
        except UserError as error:
            settings.update(clean(str(error), 400))
            return
        found = entries(mine, theirs)
        left = max(len(e.key) for e in found) + 1
        width = max(12, min(40, (self.size.width - left - 6) // 2))
        text = Text(no_wrap=True)
        if self.other is not None:
            text.append(" " * (left + 2))
            text.append(fit(f"{self.run.genre} · {self.run.variant}", width) + "  ", style="bold")
            text.append(fit(f"{self.other.genre} · {self.other.variant}", width), style="bold")
            text.append("\n")
        for entry in found:
            style = self.book["between" if entry.differs else "dim"]
            text.append(f" {entry.key:<{left}} ", style=self.book["dim"])
            if entry.other is None:
                text.append(entry.value, style=self.book["text"])
            else:
                text.append(fit(entry.value, width) + "  ", style=style)
                text.append(fit(entry.other, width) if entry.differs else "=", style=style)
            text.append("\n")
        settings.update(text)

    def _other_spec(self) -> RunSpec | None:
        if self.other is None:
            return None
        return read_spec(self.dashboard.setup.runs / self.other.name)

    def action_switch(self) -> None:
        switcher = self.query_one(ContentSwitcher)
        is_log = switcher.current == "run-log"
        switcher.current = "run-config" if is_log else "run-log"
        (self.query_one("#run-config") if is_log else self.log_view).focus()

    @work
    async def action_search(self) -> None:
        text = await self.app.push_screen_wait(
            PromptScreen("Find in the log", self.log_view.sought, "n and N go on to further lines")
        )
        if text is not None:
            self.query_one(ContentSwitcher).current = "run-log"
            if text and not self.log_view.seek(text):
                self.app.notify(f"no line has {clean(text, 60)}", markup=False)

    def action_again(self, step: int) -> None:
        if self.log_view.sought:
            self.log_view.seek(self.log_view.sought, step)

    @work
    async def action_compare(self) -> None:
        others = [r for r in self.dashboard.model.runs.values() if r.name != self.run.name]
        marked = self.dashboard.model.marked
        others.sort(key=lambda r: (r.name not in marked, r.genre != self.run.genre))
        chosen = await self.app.push_screen_wait(RunPicker("compare with", others))
        if chosen is not None:
            self.other = chosen
            self.query_one(ContentSwitcher).current = "run-config"
            self._show_config()
