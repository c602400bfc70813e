"""The screen that starts runs: the form, what that would be, and starting it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import SelectionList, Static

from postertui.dashboard.launching.draft import Draft
from postertui.dashboard.launching.editor import VariantScreen
from postertui.dashboard.launching.form import LaunchForm
from postertui.dashboard.launching.preview import Line, Preview, describe, preview
from postertui.dashboard.launching.source import Source, open_source
from postertui.dashboard.safe import clean, shorten_middle
from postertui.dashboard.screens.keybar import KeyBar
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.dashboard.app import DashboardApp
    from postertui.runs.store import Run

#: Seconds without a change before the plan is made anew.
PAUSE = 0.1


class LaunchScreen(Screen[str | None]):
    """Says what it would start before it does. Closes with what was started, or None."""

    CSS_PATH = "launching.tcss"
    BINDINGS = [
        Binding("ctrl+s,f5", "start", "Start", id="launch.start", tooltip="queue what is listed"),
        Binding("escape", "close", "Back", id="launch.back"),
        Binding("space", "", "Tick", id="launch.tick"),
        Binding("a", "all", "All/none", id="launch.all", tooltip="of the list with the focus"),
        Binding("n", "variant", "New variant", id="launch.variant", tooltip="made from this one"),
    ]

    def __init__(self, dashboard: DashboardApp) -> None:
        super().__init__()
        self.dashboard = dashboard
        self.book = dashboard.book
        self.form = LaunchForm()
        self.found: Preview | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(" New runs ", id="launch-title", markup=False)
        yield self.form
        yield Static("reading the data …", id="launch-plan", markup=False)
        yield Static("", id="launch-problem", markup=False)
        yield KeyBar(self.book)

    def on_mount(self) -> None:
        self.query_one("#launch-title", Static).styles.text_style = "bold"
        self._open()

    @property
    def source(self) -> Source | None:
        """What there is to choose from; None until it has been read."""
        return self.form.source

    # Reading

    @work(thread=True, exclusive=True, group="launch-open")
    def _open(self) -> None:
        setup = self.dashboard.setup
        try:
            source = open_source(setup.data, setup.study, self._runs(), Path())
        except (UserError, OSError) as error:
            self.app.call_from_thread(self._say_plan, (), clean(error))
            return
        self.app.call_from_thread(self.form.offer, source)

    def _runs(self) -> dict[str, Run]:
        # A copy, for the reading thread goes on adding to the store's own.
        return dict(self.dashboard.feed.store.runs)

    # The plan

    @on(LaunchForm.Changed)
    def _later(self) -> None:
        """Make the plan once the user has paused."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._plan)

    def _plan(self) -> None:
        self.form.count()
        self.found = None
        try:
            draft = self.form.draft()
        except ValueError as error:
            if self.source is not None:
                self._say_plan((), clean(error))
            return
        self._preview(draft)

    @work(thread=True, exclusive=True, group="launch-plan")
    def _preview(self, draft: Draft) -> None:
        assert self.source is not None
        source = self.source
        try:
            weights = source.planned_weights(draft.weights)
            found = preview(draft, source.dataset, weights, self._runs(), source.slots)
        except (UserError, OSError) as error:
            self.app.call_from_thread(self._say_plan, (), clean(error))
            return
        self.app.call_from_thread(self._show, draft, found)

    def _show(self, draft: Draft, found: Preview) -> None:
        try:
            if self.form.draft() != draft:
                return  # The form has gone on; its own plan is on the way.
        except ValueError:
            return
        self.found = found
        note = ""
        if self.source is not None and self.source.needs_download(draft.weights):
            note = "ImageNet's weights are not on this machine: starting downloads them (59 MB)"
        self._say_plan(describe(found), note, wrong=False)

    def _say_plan(self, lines: tuple[Line, ...], problem: str, *, wrong: bool = True) -> None:
        text = Text(no_wrap=True)
        for number, line in enumerate(lines):
            text.append("\n " if number else " ")
            for part, style in line:
                text.append(part, style=self.book[style])
        self.query_one("#launch-plan", Static).update(text)
        below = self.query_one("#launch-problem", Static)
        # Three rows; what is wrong stands at the end of a message, behind a path of any length.
        problem = shorten_middle(problem, max(40, 2 * self.size.width))
        below.update(" " + problem if problem else "")
        below.set_class(wrong, "wrong")

    # Acting

    def action_all(self) -> None:
        box = self.focused
        if isinstance(box, SelectionList):
            if len(box.selected) == box.option_count:
                box.deselect_all()
            else:
                box.select_all()

    def action_close(self) -> None:
        self.dismiss(None)

    def action_start(self) -> None:
        if self.found is None:
            return
        if not self.found.starting:
            self.app.notify("nothing to start: no ticked run is missing", markup=False)
            return
        try:
            self._start(self.form.draft())
        except ValueError as error:
            self._say_plan((), clean(error))

    @work(thread=True, exclusive=True, group="launch-start")
    def _start(self, draft: Draft) -> None:
        assert self.source is not None
        source, control = self.source, self.dashboard.control
        try:
            weights = source.resolve(draft.weights)
            found = preview(draft, source.dataset, weights, self._runs(), source.slots)
            done = control.launch(
                found.plan.missing,
                again=found.plan.ended if draft.again else (),
                jobs=draft.numbers.jobs,
            )
        except (UserError, OSError) as error:
            self.app.call_from_thread(
                self.app.notify, clean(error, 300), severity="error", markup=False
            )
            return
        self.dashboard.feed.hurry()
        self.app.call_from_thread(self.dismiss, done)

    @work
    async def action_variant(self) -> None:
        study, start = self.form.study, self.form.highlighted()
        if study is None or start is None:
            return
        screen = VariantScreen(self.book, study, start, self.form.variants())
        made = await self.app.push_screen_wait(screen)
        if made is not None:
            self.form.add(made)
