"""The keys that act on runs; mixed into the main screen."""

from __future__ import annotations

from collections.abc import Callable

from textual import work
from textual.binding import Binding, BindingType

from postertui.dashboard.board import Board
from postertui.dashboard.live.view import RunView
from postertui.dashboard.safe import clean
from postertui.dashboard.screens.confirm import ConfirmScreen
from postertui.errors import UserError

RUN_BINDINGS: list[BindingType] = [
    Binding(
        "n", "launch", "New runs", id="run.launch", tooltip="start the missing runs of a study"
    ),
    Binding("x", "cancel", "Cancel", id="run.cancel", tooltip="the selected or marked runs"),
    Binding("r", "retry", "retry", show=False, id="run.retry", tooltip="failed and cancelled runs"),
    Binding("space", "mark", "mark", show=False, id="run.mark", tooltip="for the next action"),
    Binding("p", "pin", "pin", show=False, id="run.pin", tooltip="always shown, on top"),
]


class RunActions(Board):
    """Requests go to the supervisor in a thread; a mistake becomes a message."""

    def targets(self) -> list[RunView]:
        """The marked runs, or else the one under the cursor."""
        marked = [r for name in self.model.marked if (r := self.model.runs.get(name)) is not None]
        current = self.table.current
        return marked or ([current] if current is not None else [])

    def action_mark(self) -> None:
        if (run := self.table.current) is not None:
            self.model.marked ^= {run.name}
            self.show_table()
            self.table.action_move(1)

    def action_pin(self) -> None:
        if (run := self.table.current) is not None:
            self.model.pinned ^= {run.name}
            self.model.select()
            self.show_all()
            self.state_changed()

    @work
    async def action_cancel(self) -> None:
        runs = [r for r in self.targets() if r.state in ("running", "queued", "interrupted")]
        if not runs:
            self.say("nothing to cancel here: only running and queued runs can be")
            return
        names = [r.name for r in runs]
        if any(r.state == "running" for r in runs):
            detail = "What is trained stays; retry goes on from the last finished epoch."
            question = ConfirmScreen(f"Cancel {named(runs)}?", "Cancel", detail)
            confirmed: bool = await self.app.push_screen_wait(question)
            if not confirmed:
                return
        self.ask(lambda: self.control.cancel(names), f"cancelled {named(runs)}: r queues again")

    def action_retry(self) -> None:
        runs = [r for r in self.targets() if r.state in ("failed", "cancelled", "interrupted")]
        if not runs:
            self.say("nothing to retry here: only failed, cancelled and interrupted runs can be")
            return
        self.ask(lambda: self.control.retry([r.name for r in runs]), "queued " + named(runs))

    @work(thread=True, group="requests")
    def ask(self, request: Callable[[], object], done: str) -> None:
        """Make `request` in a thread, then say `done` or what went wrong."""
        try:
            request()
        except (UserError, OSError) as error:
            message = clean(str(error), 300)
            self.app.call_from_thread(self.say, message, severity="error")
        else:
            self.app.call_from_thread(self.say, done)
            self.dashboard.feed.hurry()


def named(runs: list[RunView]) -> str:
    """The runs in words: one by its name, several by their number."""
    if len(runs) == 1:
        return f"{runs[0].genre} · {runs[0].variant}"
    return f"{len(runs)} runs"
