"""The screen that starts runs: the form, what that would be, and starting it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import SelectionList, Static

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.context import Context
from postertui.dashboard.dialogs.variant_editor import VariantScreen
from postertui.dashboard.launching.choices import LaunchChoices, open_choices
from postertui.dashboard.launching.draft import LaunchDraft
from postertui.dashboard.launching.preview import LaunchPreview, Line, preview_launch, preview_lines
from postertui.dashboard.screens.base import DashboardScreen
from postertui.dashboard.text_width import cut_middle
from postertui.dashboard.widgets.key_bar import KeyBar
from postertui.dashboard.widgets.launch_form import LaunchForm
from postertui.data.weight_choices import NOT_DOWNLOADED
from postertui.system.errors import UserError
from postertui.system.text import to_single_line

if TYPE_CHECKING:
    from postertui.runs.store import Run
    from postertui.study import Variant

#: Seconds without a change before the plan is made again.
PAUSE = 0.1


class LaunchScreen(DashboardScreen[str | None]):
    """Says what it would start before it does. Closes with what was started, or None."""

    CSS_PATH = "launch.tcss"
    BINDINGS = bindings("launch")
    HELP_REGIONS = ("launch", "ticks", "variant")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.form = LaunchForm(context.launch_memory)
        self.planned: LaunchPreview | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(" New runs ", id="launch-title", markup=False)
        yield self.form
        yield Static("reading the data …", id="launch-plan", markup=False)
        yield Static("", id="launch-problem", markup=False)
        yield KeyBar(self.theme)

    def on_mount(self) -> None:
        self.query_one("#launch-title", Static).styles.text_style = "bold"
        self._open()

    @property
    def choices(self) -> LaunchChoices | None:
        """What there is to choose from; None until it has been read."""
        return self.form.choices

    # Reading

    @work(thread=True, exclusive=True, group="launch-open")
    def _open(self) -> None:
        setup = self.context.setup
        try:
            choices = open_choices(setup.data, setup.study, self._runs(), Path(), queue=setup.runs)
        except (UserError, OSError) as error:
            self.app.call_from_thread(self._show_plan, (), to_single_line(error))
            return
        self.app.call_from_thread(self.form.offer, choices)

    def _runs(self) -> dict[str, Run]:
        # A copy, for the reading thread goes on adding to the store's own.
        return self.context.feed.store.runs.copy()

    # The plan

    @on(LaunchForm.Changed)
    def _later(self) -> None:
        """Make the plan once the user has paused."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._plan)

    def _plan(self) -> None:
        self.form.count()
        self.planned = None
        try:
            draft = self.form.draft()
        except ValueError as error:
            if self.choices is not None:
                self._show_plan((), to_single_line(error))
            return
        self._preview(draft)

    @work(thread=True, exclusive=True, group="launch-plan")
    def _preview(self, draft: LaunchDraft) -> None:
        assert self.choices is not None
        choices = self.choices
        try:
            weights = choices.weight_choices(draft.weights, download=False)
            planned = preview_launch(draft, choices.dataset, weights, self._runs(), choices.slots)
            ignored = self.context.control.ignored_settings()
        except (UserError, OSError) as error:
            self.app.call_from_thread(self._show_plan, (), to_single_line(error))
            return
        self.app.call_from_thread(self._show, draft, planned, ignored)

    def _show(self, draft: LaunchDraft, planned: LaunchPreview, ignored: Sequence[str]) -> None:
        try:
            if self.form.draft() != draft:
                return  # The form has gone on; its own plan is on the way.
        except ValueError:
            return
        self.planned = planned
        # What helps comes first, for the last of many settings may have no room.
        notes = [*ignored[-1:], *ignored[:-1]]
        if any(spec.weights.digest == NOT_DOWNLOADED for spec in planned.plan.specs):
            notes.insert(0, "ImageNet's weights are not on this machine: starting downloads them")
        self._show_plan(preview_lines(planned), "\n".join(notes), wrong=False)

    def _show_plan(self, lines: tuple[Line, ...], problem: str, *, wrong: bool = True) -> None:
        text = Text(no_wrap=True)
        for number, line in enumerate(lines):
            text.append("\n " if number else " ")
            for part, style in line:
                text.append(part, style=self.theme[style])
        self.query_one("#launch-plan", Static).update(text)
        below = self.query_one("#launch-problem", Static)
        # What is wrong stands at the end of a message, behind a path of any length.
        most = max(40, 3 * self.size.width)
        rows = [" " + cut_middle(line, most, long_end=True) for line in problem.splitlines()]
        below.update("\n".join(rows))
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
        if self.planned is None:
            return
        if not self.planned.starting:
            self.app.notify("nothing to start: no ticked run is missing", markup=False)
            return
        try:
            self._start(self.form.draft())
        except ValueError as error:
            self._show_plan((), to_single_line(error))

    @work(thread=True, exclusive=True, group="launch-start")
    def _start(self, draft: LaunchDraft) -> None:
        assert self.choices is not None
        choices, control = self.choices, self.context.control
        try:
            weights = choices.weight_choices(draft.weights, download=True)
            planned = preview_launch(draft, choices.dataset, weights, self._runs(), choices.slots)
            done = control.launch(
                planned.plan.missing,
                again=planned.plan.ended if draft.again else (),
                jobs=draft.numbers.jobs,
                code_files=planned.plan.code_files,
            )
        except (UserError, OSError) as error:
            self.app.call_from_thread(
                self.app.notify, to_single_line(error, 300), severity="error", markup=False
            )
            return
        self.context.feed.wake()
        self.app.call_from_thread(self.dismiss, done)

    def action_variant(self) -> None:
        study, start = self.form.study, self.form.highlighted()
        if study is None or start is None:
            return

        def add(variant: Variant | None) -> None:
            if variant is not None:
                self.form.add(variant)

        self.context.shell.ask(VariantScreen(study, start, self.form.variants()), add)
