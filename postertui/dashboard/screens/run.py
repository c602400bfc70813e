"""One run: its state, its last error, its log, its config beside another's, its posters."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import ContentSwitcher, Static

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.context import Context
from postertui.dashboard.dialogs.prompt import PromptScreen
from postertui.dashboard.dialogs.run_picker import RunPicker
from postertui.dashboard.monitoring.config_diff import config_lines
from postertui.dashboard.monitoring.log_reader import LogReader, last_error
from postertui.dashboard.monitoring.poster_list import list_lines, read_poster_list
from postertui.dashboard.number_format import always_yes, duration, score
from postertui.dashboard.screens.base import DashboardScreen
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.text_width import fit
from postertui.dashboard.widgets.key_bar import KeyBar
from postertui.dashboard.widgets.log_view import LogView
from postertui.dashboard.widgets.run_chart import RunChart
from postertui.runs import layout
from postertui.runs.lifecycle import CLOSED_STATES
from postertui.runs.spec import RunSpec, read_spec
from postertui.system.errors import UserError
from postertui.system.text import to_single_line

#: What Tab goes through.
PANES = ("run-log", "run-config", "run-posters")


class RunScreen(DashboardScreen[None]):
    """Log, config or posters of `run`; follows it as it goes on."""

    BINDINGS = bindings("run")
    HELP_REGIONS = ("run", "log")

    def __init__(self, context: Context, run: RunView) -> None:
        super().__init__(context)
        self.run = run
        self.other: RunView | None = None
        self._sheets: tempfile.TemporaryDirectory[str] | None = None
        self.folder = context.setup.runs / run.name
        self.chart = RunChart(context)
        self.log_view = LogView(self.theme, LogReader(self.folder / layout.LOG))

    def compose(self) -> ComposeResult:
        yield Static(id="run-head", markup=False)
        yield Static(id="run-error", markup=False)
        yield self.chart
        with ContentSwitcher(initial="run-log"):
            with VerticalScroll(id="run-log", can_focus=False):
                yield self.log_view
            with VerticalScroll(id="run-config"):
                yield Static(id="run-settings", markup=False)
            with VerticalScroll(id="run-posters"):
                yield Static(id="run-notable", markup=False)
        yield KeyBar(self.theme)

    def on_mount(self) -> None:
        self.show()
        self.log_view.focus()
        self.set_interval(0.5, self._show_error)

    def runs_updated(self, updates: RunUpdates, *, structural: bool) -> None:
        self.run = self.model.runs.get(self.run.name, self.run)
        self.show()

    def repaint(self) -> None:
        self.show()
        self.log_view.refresh()

    def show(self) -> None:
        run = self.run
        head = Text(no_wrap=True)
        head.append(f" {run.genre} · {run.variant} ", style=self.theme["selected"])
        head.append(f"  {run.standing}", style=self.theme[run.standing])
        head.append(f"  epoch {run.epoch}/{run.epochs}", style=self.theme["text"])
        head.append(
            f"  test F {score(run.newest())}, best {score(run.best())} @ {run.best_epoch() or '–'}",
            style=self.theme["text"],
        )
        head.append(
            f"  always-yes {score(always_yes(run.test_base_rate))}", style=self.theme["dim"]
        )
        facts = [f"seed {run.seed}", f"attempt {run.attempt}", run.device]
        if run.seconds is not None:
            facts.append(f"{duration(run.seconds)} an epoch")
        if (remaining := self.model.remaining(run)) is not None:
            facts.append(f"{duration(remaining)} left")
        head.append("\n " + " · ".join(f for f in facts if f), style=self.theme["dim"])
        head.append(f" · {to_single_line(run.name)}", style=self.theme["dim"])
        if run.tags:
            head.append("  " + " ".join(f"#{t}" for t in run.tags), style=self.theme["accent"])
        if run.note:
            head.append(f"  {run.note}", style=self.theme["accent"])
        self.query_one("#run-head", Static).update(head)
        self.chart.display = run.epoch > 0
        self.chart.styles.height = max(5, self.size.height // 3)
        self.chart.show(run)
        ended = run.state in CLOSED_STATES
        self.log_view.empty = "the job printed nothing" if ended else "no log yet"
        self._show_error()
        self._show_config()

    def _show_error(self) -> None:
        run = self.run
        troubled = run.state in ("failed", "interrupted")
        error_line = last_error(self.log_view.lines) if troubled else None
        lines = [t for t in (run.reason if run.state != "done" else "", error_line or "") if t]
        error = self.query_one("#run-error", Static)
        error.display = bool(lines)
        if lines:
            width = max(10, self.size.width - 2)
            shown = [" " + fit(line, width).rstrip() for line in dict.fromkeys(lines)]
            error.update("\n".join(shown))

    def _show_config(self) -> None:
        settings = self.query_one("#run-settings", Static)
        try:
            spec = read_spec(self.folder)
            other_spec = self._other_spec()
        except UserError as error:
            settings.update(to_single_line(str(error), 400))
            return
        settings_lines = config_lines(spec, other_spec)
        left = max(len(e.key) for e in settings_lines) + 1
        width = max(12, min(40, (self.size.width - left - 6) // 2))
        text = Text(no_wrap=True)
        if self.other is not None:
            text.append(" " * (left + 2))
            text.append(fit(f"{self.run.genre} · {self.run.variant}", width) + "  ", style="bold")
            text.append(fit(f"{self.other.genre} · {self.other.variant}", width), style="bold")
            text.append("\n")
        for entry in settings_lines:
            style = self.theme["between" if entry.differs else "dim"]
            text.append(f" {entry.key:<{left}} ", style=self.theme["dim"])
            if entry.other is None:
                text.append(entry.value, style=self.theme["text"])
            else:
                text.append(fit(entry.value, width) + "  ", style=style)
                text.append(fit(entry.other, width) if entry.differs else "=", style=style)
            text.append("\n")
        settings.update(text)

    def _other_spec(self) -> RunSpec | None:
        if self.other is None:
            return None
        return read_spec(self.context.setup.runs / self.other.name)

    def action_switch(self) -> None:
        switcher = self.query_one(ContentSwitcher)
        following = PANES[(PANES.index(switcher.current or PANES[0]) + 1) % len(PANES)]
        switcher.current = following
        if following == "run-posters":
            self._show_posters()
        is_log = following == "run-log"
        (self.log_view if is_log else self.query_one(f"#{following}")).focus()

    def _show_posters(self) -> None:
        text = Text(no_wrap=True)
        for style, line in list_lines(read_poster_list(self.context.setup.runs, self.run.name)):
            text.append(f" {to_single_line(line, 400)}\n", style=self.theme[style])
        self.query_one("#run-notable", Static).update(text)

    def action_pictures(self) -> None:
        """Show the listed posters as pictures, where the terminal can."""
        from postertui.report.poster_pixels import write_contact_sheet

        listed = read_poster_list(self.context.setup.runs, self.run.name)
        if listed.predictions is None:
            self.context.shell.show_message(listed.problem, "warning")
            return
        if self._sheets is None:
            self._sheets = tempfile.TemporaryDirectory(prefix="postertui-")
        sheet = Path(self._sheets.name) / "posters.png"
        try:
            write_contact_sheet(self.context.setup.runs, listed.predictions, sheet)
            self.context.shell.open_preview([sheet])
        except (UserError, OSError) as error:
            self.context.shell.show_message(to_single_line(str(error), 200), "warning")

    def on_unmount(self) -> None:
        if self._sheets is not None:
            self._sheets.cleanup()

    def action_search(self) -> None:
        def search(text: str | None) -> None:
            if text is None:
                return
            self.query_one(ContentSwitcher).current = "run-log"
            if text and not self.log_view.seek(text):
                self.context.shell.show_message(f"no line has {to_single_line(text, 60)}")

        hint = "n and N go on to further lines"
        dialog = PromptScreen("Find in the log", self.log_view.search_text, hint)
        self.context.shell.ask(dialog, search)

    def action_next_hit(self, step: int) -> None:
        if self.log_view.search_text:
            self.log_view.seek(self.log_view.search_text, step)

    def action_compare(self) -> None:
        others = [r for r in self.model.runs.values() if r.name != self.run.name]
        marked = self.model.marked
        others.sort(key=lambda r: (r.name not in marked, r.genre != self.run.genre))

        def compare(chosen: RunView | None) -> None:
            if chosen is not None:
                self.other = chosen
                self.query_one(ContentSwitcher).current = "run-config"
                self._show_config()

        self.context.shell.ask(RunPicker("compare with", others), compare)
