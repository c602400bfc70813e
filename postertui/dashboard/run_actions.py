"""The keys that act on runs; mixed into the main screen."""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec.structs import replace
from textual import work
from textual.binding import Binding, BindingType

from postertui.dashboard.board import Board
from postertui.dashboard.control import ReadOnlyError
from postertui.dashboard.live.view import RunView
from postertui.dashboard.safe import clean
from postertui.dashboard.screens.confirm import ConfirmScreen
from postertui.dashboard.screens.prompt import PromptScreen
from postertui.runs.notes import Note, change_notes, parse_tags
from postertui.system.errors import UserError

RUN_BINDINGS: list[BindingType] = [
    Binding("n", "launch", "New runs", id="run.launch",
            tooltip="start the missing runs of a study"),
    Binding("x", "cancel", "Cancel", id="run.cancel", tooltip="the selected or marked runs"),
    Binding("r", "retry", "Retry", show=False, id="run.retry",
            tooltip="failed and cancelled runs"),
    Binding("u", "undo", "Undo", show=False, id="run.undo", tooltip="the newest request"),
    Binding("P", "pause", "Pause", show=False, id="run.pause",
            tooltip="the queue, or let it go on"),
    Binding("h", "hold", "hold", show=False, id="run.hold",
            tooltip="let these runs wait, or go on"),
    Binding("plus", "priority(1)", "raise", show=False, id="run.raise", tooltip="to go earlier"),
    Binding("minus", "priority(-1)", "lower", show=False, id="run.lower", tooltip="to go later"),
    Binding("space", "mark", "mark", show=False, id="run.mark", tooltip="for the next action"),
    Binding("asterisk", "mark_all", "mark all", show=False, id="run.mark-all",
            tooltip="that are shown, or none"),
    Binding("p", "pin", "pin", show=False, id="run.pin", tooltip="always shown, on top"),
    Binding("number_sign", "tags", "tags", show=False, id="run.tags",
            tooltip="words that filters find with tag:"),
    Binding("o", "note", "note", show=False, id="run.note", tooltip="a line about the run"),
]  # fmt: skip


class RunActions(Board):
    """Requests go to the supervisor in a thread; a mistake becomes a message."""

    #: One request at a time: some read what they then change.
    _turn = threading.Lock()

    def targets(self) -> list[RunView]:
        """The marked runs, or else the one under the cursor."""
        marked = [r for name in self.model.marked if (r := self.model.runs.get(name)) is not None]
        current = self.table.current
        return marked or ([current] if current is not None else [])

    # Marks, pins, notes

    def action_mark(self) -> None:
        if (run := self.table.current) is not None:
            self.model.marked ^= {run.name}
            self.show_table()
            self.table.action_move(1)

    def action_mark_all(self) -> None:
        every = set(self.model.shown)
        self.model.marked = set() if every <= self.model.marked else every
        self.show_table()

    def action_pin(self) -> None:
        runs = self.targets()
        names = {r.name for r in runs}
        pinned = not names <= self.model.pinned
        self.model.pinned = self.model.pinned | names if pinned else self.model.pinned - names
        self.model.select()
        self.show_all()
        if not self.control.read_only:
            self.keep_notes(runs, lambda note: replace(note, pinned=pinned))

    @work
    async def action_note(self) -> None:
        runs = self.noted()
        if not runs:
            return
        said = {r.note for r in runs}
        text = await self.app.push_screen_wait(
            PromptScreen(f"Note on {named(runs)}", said.pop() if len(said) == 1 else "", "one line")
        )
        if text is not None:
            self.keep_notes(runs, lambda note: replace(note, text=text.strip()))

    @work
    async def action_tags(self) -> None:
        runs = self.noted()
        if not runs:
            return
        shared = [t for t in runs[0].tags if all(t in r.tags for r in runs)]
        text = await self.app.push_screen_wait(
            PromptScreen(f"Tags of {named(runs)}", " ".join(shared), "words; filter with tag:word")
        )
        if text is not None:
            typed = parse_tags(text)

            def retag(note: Note) -> Note:
                own = (tag for tag in note.tags if tag not in shared)
                return replace(note, tags=tuple(dict.fromkeys((*own, *typed))))

            self.keep_notes(runs, retag)

    def noted(self) -> list[RunView]:
        """The runs that a note is for; none, with a message, where nothing may be changed."""
        if self.control.read_only:
            self.say(str(ReadOnlyError()), severity="warning")
            return []
        return self.targets()

    def keep_notes(self, runs: list[RunView], change: Callable[[Note], Note]) -> None:
        """Change the notes of `runs` on disk, in a thread."""

        def write() -> str:
            change_notes(self.control.folder, [r.name for r in runs], change)
            return ""

        self.ask(write)

    # Requests

    @work
    async def action_cancel(self) -> None:
        runs = [r for r in self.targets() if r.state in ("running", "queued", "interrupted")]
        if not runs:
            self.say("nothing to cancel here: only running and queued runs can be")
            return
        names = [r.name for r in runs]
        if any(r.state == "running" for r in runs) and not self.control.read_only:
            detail = "What is trained stays; retry goes on from the last finished epoch."
            question = ConfirmScreen(f"Cancel {named(runs)}?", "Cancel", detail)
            confirmed: bool = await self.app.push_screen_wait(question)
            if not confirmed:
                return
        self.ask(lambda: self.control.cancel(names))

    def action_retry(self) -> None:
        runs = [r for r in self.targets() if r.state not in ("running", "done")]
        if not runs:
            self.say("nothing to start here: only runs that wait or ended before they were done")
            return
        self.ask(lambda: self.control.retry([r.name for r in runs]))

    def action_priority(self, by: int) -> None:
        runs = [r for r in self.targets() if r.state in ("queued", "running", "interrupted")]
        if not runs:
            self.say("only runs that wait can be raised and lowered")
            return
        self.ask(lambda: self.control.raise_priority([r.name for r in runs], by))

    def action_hold(self) -> None:
        runs = [r for r in self.targets() if r.state in ("queued", "running", "interrupted")]
        if not runs:
            self.say("nothing to hold here: only running and queued runs can wait")
            return
        self.ask(lambda: self.control.toggle_hold([r.name for r in runs]))

    def action_pause(self) -> None:
        self.ask(self.control.toggle_pause)

    def action_undo(self) -> None:
        self.ask(self.control.undo)

    @work(thread=True, group="requests")
    def ask(self, request: Callable[[], str]) -> None:
        """Make `request` in a thread, then say what it did or what went wrong."""
        try:
            with self._turn:
                done = request()
        except (UserError, OSError) as error:
            message = clean(str(error), 300)
            self.app.call_from_thread(self.say, message, severity="error")
        else:
            self.dashboard.feed.hurry()
            if done:
                self.app.call_from_thread(self.say, done)


def named(runs: list[RunView]) -> str:
    """The runs in words: one by its name, several by their number."""
    if len(runs) == 1:
        return f"{runs[0].genre} · {runs[0].variant}"
    return f"{len(runs)} runs"
