"""Actions on runs: marks, pins, notes, and requests to the supervisor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from postertui.dashboard.context import Context
from postertui.dashboard.dialogs.confirm import Answer, ConfirmScreen
from postertui.dashboard.dialogs.prompt import PromptScreen
from postertui.dashboard.state.run_control import ReadOnlyError
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.targets import Targets
from postertui.runs.lifecycle import OPEN_STATES
from postertui.runs.notes import Note, change_notes, parse_tags
from postertui.system.errors import UserError
from postertui.system.text import to_single_line

RETRIED_STATES = ("queued", "interrupted", "failed", "cancelled")


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

    def toggle_marks(self, runs: Sequence[RunView]) -> None:
        """Mark the runs, or none of them where all are marked."""
        names = {run.name for run in runs}
        marked = self._model.marked
        self._model.marked = marked - names if names <= marked else marked | names
        self._shell.marks_changed()

    def toggle_all_marks(self) -> None:
        shown = set(self._model.shown)
        self._model.marked = set() if shown <= self._model.marked else shown
        self._shell.marks_changed()

    def clear_marks(self) -> None:
        self._model.marked.clear()
        self._shell.marks_changed()

    def toggle_pin(self, targets: Targets) -> None:
        names = set(targets.names)
        pinned = not names <= self._model.pinned
        self._model.pinned = self._model.pinned | names if pinned else self._model.pinned - names
        self._model.select()
        self._shell.selection_changed()
        if not self._control.read_only:
            self._change_notes(targets, lambda note: replace(note, pinned=pinned))

    def ask_note(self, targets: Targets) -> None:
        if not self._can_change(targets):
            return
        texts = {r.note for r in targets.runs}
        shared = texts.pop() if len(texts) == 1 else ""

        def apply(text: str | None) -> None:
            if text is not None:
                self._change_notes(targets, lambda note: replace(note, text=text.strip()))

        title = f"Note on {self._describe(targets)}"
        self._shell.ask(PromptScreen(title, shared, "one line"), apply)

    def ask_tags(self, targets: Targets) -> None:
        if not self._can_change(targets):
            return
        runs = targets.runs
        shared = [t for t in runs[0].tags if all(t in r.tags for r in runs)]
        hint = "words; filter with tag:word"

        def apply(text: str | None) -> None:
            if text is None:
                return
            typed = parse_tags(text)

            def retag(note: Note) -> Note:
                own = (tag for tag in note.tags if tag not in shared)
                return replace(note, tags=tuple(dict.fromkeys((*own, *typed))))

            self._change_notes(targets, retag)

        title = f"Tags of {self._describe(targets)}"
        self._shell.ask(PromptScreen(title, " ".join(shared), hint), apply)

    def _can_change(self, targets: Targets) -> bool:
        if self._control.read_only:
            self._shell.show_message(str(ReadOnlyError()), "warning")
            return False
        return bool(targets.runs)

    def _change_notes(self, targets: Targets, change: Callable[[Note], Note]) -> None:
        """Change the notes of the runs on disk, in a thread."""
        names = targets.names

        def write() -> str:
            change_notes(self._control.folder, names, change)
            return ""

        self._request(write)

    # Requests

    def cancel(self, targets: Targets) -> None:
        """Cancel what has not ended; asks first where work or a run out of sight is at stake."""
        targets = self._with_groups(targets).in_states(OPEN_STATES)
        if not targets.runs:
            self._shell.show_message("nothing to cancel here: only running and queued runs can be")
            return
        training = [r for r in targets.runs if r.state == "running"]
        waiting = [r.name for r in targets.runs if r.state != "running"]

        def cancel(answer: Answer | None) -> None:
            names = {"yes": targets.names, "narrower": waiting}.get(answer or "no")
            if names:
                self._request(lambda: self._control.cancel(names))

        if not (training or targets.unseen) or self._control.read_only:
            cancel("yes")
            return
        details = _remarks(targets)
        if training:
            details.append("What is trained stays; retry goes on from the last finished epoch.")
        if training and waiting:
            details.insert(0, f"{len(training)} running, {len(waiting)} waiting.")
        yes = "Cancel all" if training and waiting else "Cancel"
        narrower = f"Only the {len(waiting)} waiting" if training and waiting else ""
        question = f"Cancel {self._describe(targets)}?"
        self._shell.ask(ConfirmScreen(question, yes, "\n".join(details), narrower), cancel)

    def retry(self, targets: Targets) -> None:
        targets = self._with_groups(targets).in_states(RETRIED_STATES)
        if not targets.runs:
            self._shell.show_message(
                "nothing to start here: only runs that wait or ended before they were done"
            )
            return
        names = targets.names
        self._confirm("Retry", targets, lambda: self._control.retry(names))

    def raise_priority(self, targets: Targets, by: int) -> None:
        targets = self._with_groups(targets).in_states(OPEN_STATES)
        if not targets.runs:
            self._shell.show_message("only runs that wait can be raised and lowered")
            return
        names = targets.names
        verb = "Raise" if by > 0 else "Lower"
        self._confirm(verb, targets, lambda: self._control.raise_priority(names, by))

    def toggle_hold(self, targets: Targets) -> None:
        targets = self._with_groups(targets).in_states(OPEN_STATES)
        if not targets.runs:
            self._shell.show_message(
                "nothing to hold here: only running and queued runs can be held"
            )
            return
        names = targets.names
        verb = "Release" if all(r.standing == "held" for r in targets.runs) else "Hold"
        self._confirm(verb, targets, lambda: self._control.toggle_hold(names))

    def _confirm(self, verb: str, targets: Targets, request: Callable[[], str]) -> None:
        """Make the request; where some of its runs are not on the screen, ask first."""

        def answered(answer: Answer | None) -> None:
            if answer == "yes":
                self._request(request)

        if not targets.unseen or self._control.read_only:
            answered("yes")
            return
        question = f"{verb} {self._describe(targets)}?"
        self._shell.ask(ConfirmScreen(question, verb, "\n".join(_remarks(targets))), answered)

    def _with_groups(self, targets: Targets) -> Targets:
        """The targets and what is trained together with them, which goes the same way."""
        return targets.of(self._model.with_groups(targets.runs))

    def _describe(self, targets: Targets) -> str:
        return self._model.describe_runs(targets.names)

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
                self._shell.from_thread(self._shell.show_message, message, "error")
                return
            self._feed.wake()
            if done:
                self._shell.from_thread(self._shell.show_message, done)

        self._shell.in_thread(work, "requests")


def _remarks(targets: Targets) -> list[str]:
    """What is to be known before the runs are asked for something, in lines."""
    lines = [_unseen_line(targets)] if targets.unseen else []
    if any(run.unit for run in targets.runs):
        lines.append("Genres that share layers are trained together: this is for all of them.")
    return lines


def _unseen_line(targets: Targets) -> str:
    """How many of the runs cannot be seen where the question is asked."""
    if len(targets.runs) == 1:
        return "It is not on the screen."
    return f"{targets.unseen} of the {len(targets.runs)} runs are not on the screen."
