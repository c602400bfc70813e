"""Actions on runs: marks, pins, notes, and requests to the supervisor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from postertui.dashboard.context import Context
from postertui.dashboard.dialogs.confirm import ConfirmScreen
from postertui.dashboard.dialogs.prompt import PromptScreen
from postertui.dashboard.state.run_control import ReadOnlyError
from postertui.dashboard.state.run_view import RunView
from postertui.runs.notes import Note, change_notes, parse_tags
from postertui.system.errors import UserError
from postertui.system.text import pluralize, to_single_line

OPEN_STATES = ("running", "queued", "interrupted")
Runs = Sequence[RunView]


class RunController:
    """Requests go to the supervisor in a thread; what goes wrong becomes a message."""

    def __init__(self, context: Context) -> None:
        self._shell = context.shell
        self._model = context.model
        self._control = context.control
        self._feed = context.feed
        #: One request at a time: some read what they then change.
        self._one_at_a_time = threading.Lock()

    # Marks, pins, notes

    def toggle_mark(self, run: RunView) -> None:
        self._model.marked ^= {run.name}
        self._shell.marks_changed()

    def toggle_all_marks(self) -> None:
        shown = set(self._model.shown)
        self._model.marked = set() if shown <= self._model.marked else shown
        self._shell.marks_changed()

    def clear_marks(self) -> None:
        self._model.marked.clear()
        self._shell.marks_changed()

    def toggle_pin(self, runs: Runs) -> None:
        names = {r.name for r in runs}
        pinned = not names <= self._model.pinned
        self._model.pinned = self._model.pinned | names if pinned else self._model.pinned - names
        self._model.select()
        self._shell.selection_changed()
        if not self._control.read_only:
            self._change_notes(runs, lambda note: replace(note, pinned=pinned))

    def ask_note(self, runs: Runs) -> None:
        if not self._can_change(runs):
            return
        texts = {r.note for r in runs}
        shared = texts.pop() if len(texts) == 1 else ""

        def apply(text: str | None) -> None:
            if text is not None:
                self._change_notes(runs, lambda note: replace(note, text=text.strip()))

        self._shell.ask(PromptScreen(f"Note on {describe(runs)}", shared, "one line"), apply)

    def ask_tags(self, runs: Runs) -> None:
        if not self._can_change(runs):
            return
        shared = [t for t in runs[0].tags if all(t in r.tags for r in runs)]
        hint = "words; filter with tag:word"

        def apply(text: str | None) -> None:
            if text is None:
                return
            typed = parse_tags(text)

            def retag(note: Note) -> Note:
                own = (tag for tag in note.tags if tag not in shared)
                return replace(note, tags=tuple(dict.fromkeys((*own, *typed))))

            self._change_notes(runs, retag)

        self._shell.ask(PromptScreen(f"Tags of {describe(runs)}", " ".join(shared), hint), apply)

    def _can_change(self, runs: Runs) -> bool:
        if self._control.read_only:
            self._shell.say(str(ReadOnlyError()), "warning")
            return False
        return bool(runs)

    def _change_notes(self, runs: Runs, change: Callable[[Note], Note]) -> None:
        """Change the notes of `runs` on disk, in a thread."""

        def write() -> str:
            change_notes(self._control.folder, [r.name for r in runs], change)
            return ""

        self._request(write)

    # Requests

    def cancel(self, runs: Runs) -> None:
        runs = [r for r in runs if r.state in OPEN_STATES]
        if not runs:
            self._shell.say("nothing to cancel here: only running and queued runs can be")
            return
        names = [r.name for r in runs]

        def cancel(confirmed: bool | None) -> None:
            if confirmed:
                self._request(lambda: self._control.cancel(names))

        if any(r.state == "running" for r in runs) and not self._control.read_only:
            detail = "What is trained stays; retry goes on from the last finished epoch."
            self._shell.ask(ConfirmScreen(f"Cancel {describe(runs)}?", "Cancel", detail), cancel)
        else:
            cancel(True)

    def retry(self, runs: Runs) -> None:
        names = [r.name for r in runs if r.state not in ("running", "done")]
        if not names:
            self._shell.say(
                "nothing to start here: only runs that wait or ended before they were done"
            )
            return
        self._request(lambda: self._control.retry(names))

    def raise_priority(self, runs: Runs, by: int) -> None:
        names = [r.name for r in runs if r.state in OPEN_STATES]
        if not names:
            self._shell.say("only runs that wait can be raised and lowered")
            return
        self._request(lambda: self._control.raise_priority(names, by))

    def toggle_hold(self, runs: Runs) -> None:
        names = [r.name for r in runs if r.state in OPEN_STATES]
        if not names:
            self._shell.say("nothing to hold here: only running and queued runs can wait")
            return
        self._request(lambda: self._control.toggle_hold(names))

    def toggle_pause(self) -> None:
        self._request(self._control.toggle_pause)

    def undo(self) -> None:
        self._request(self._control.undo)

    def _request(self, request: Callable[[], str]) -> None:
        """Make `request` in a thread, then say what it did or what went wrong."""

        def work() -> None:
            try:
                with self._one_at_a_time:
                    done = request()
            except (UserError, OSError) as error:
                message = to_single_line(str(error), 300)
                self._shell.from_thread(self._shell.say, message, "error")
                return
            self._feed.wake()
            if done:
                self._shell.from_thread(self._shell.say, done)

        self._shell.in_thread(work, "requests")


def describe(runs: Runs) -> str:
    """The runs in words: one by genre and variant, several by their number."""
    if len(runs) == 1:
        return f"{runs[0].genre} · {runs[0].variant}"
    return pluralize(len(runs), "run")
