"""What the dashboard asks of the supervisor; it never writes to a run itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.runs.spec import RunSpec
    from postertui.supervisor.folder import Status

#: Seconds within which a cancelled run has ended (an epoch or 10 s), and some more.
CANCEL_PATIENCE = 20.0


class ReadOnlyError(UserError):
    """An action was asked for that changes something, and the dashboard only reads."""

    def __init__(self) -> None:
        super().__init__("read-only: start without --read-only to change runs")


@dataclass(frozen=True)
class Undo:
    """How to take back the newest request. `label` says what that is."""

    label: str
    request: Callable[[], object]


class Control:
    """Requests to whoever works on `folder`. With `read_only` each raises `ReadOnlyError`.

    Every request can block for a moment and raise `UserError`: call them in a thread.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.folder = folder
        self.read_only = read_only
        self.undos: list[Undo] = []
        self._lock = threading.Lock()

    def launch(
        self, missing: Sequence[RunSpec], *, again: Sequence[RunSpec] = (), jobs: int | None = None
    ) -> str:
        """Queue the `missing` runs and `again` those that ended, and have them worked on."""
        client = self._client()
        from postertui.supervisor import plan as launch

        launch.check_trainable()
        launch.queue(self.folder, missing)
        names = [spec.run for spec in missing] + self._requeue([spec.run for spec in again])
        client.ensure_supervisor(self.folder, jobs=jobs)

        def cancel() -> None:
            client.cancel(self.folder, names)

        self._remember(f"start of {count(names)}", cancel, names)
        return f"queued {count(names)} (u undoes)"

    def cancel(self, runs: Sequence[str]) -> str:
        """End these runs; what they trained stays."""
        client = self._client()
        outcomes = client.cancel(self.folder, runs)
        hit = [name for name, outcome in outcomes.items() if outcome in ("done", "requested")]
        self._remember(f"cancel of {count(hit)}", lambda: self._revive(hit), hit)
        return f"cancelled {count(hit)} (u undoes)"

    def retry(self, runs: Sequence[str]) -> str:
        """Queue these runs again, and have what is queued worked on."""
        hit = self._retry(runs)
        if not hit:
            return "the queue is being worked on"

        def cancel() -> None:
            self._client().cancel(self.folder, hit)

        self._remember(f"retry of {count(hit)}", cancel, hit)
        return f"queued {count(hit)} (u undoes)"

    def _revive(self, runs: Sequence[str]) -> None:
        """Queue cancelled runs again, those that are still ending as soon as they have."""
        deadline = time.monotonic() + CANCEL_PATIENCE
        left = list(runs)
        while left:
            revived = self._retry(left)
            left = [name for name in left if name not in revived]
            if not left or time.monotonic() > deadline:
                return
            time.sleep(0.1)

    def _retry(self, runs: Sequence[str]) -> list[str]:
        hit = self._requeue(runs)
        self._client().ensure_supervisor(self.folder)
        return hit

    def _requeue(self, runs: Sequence[str]) -> list[str]:
        outcomes = self._client().retry(self.folder, runs)
        return [name for name, outcome in outcomes.items() if outcome == "done"]

    def raise_priority(self, runs: Sequence[str], by: int) -> str:
        """Let these runs go earlier (`by` above 0) or later."""
        client = self._client()
        before = {name: client.priority(self.folder, name) for name in runs}
        for name, value in before.items():
            client.set_priority(self.folder, [name], value + by)

        def back() -> None:
            for name, value in before.items():
                client.set_priority(self.folder, [name], value)

        self._remember("change of priority", back, list(runs))
        new = {value + by for value in before.values()}
        level = f"{new.pop():+d}" if len(new) == 1 else ("higher" if by > 0 else "lower")
        return f"priority of {count(runs)} is now {level}"

    def toggle_hold(self, runs: Sequence[str]) -> str:
        """Let these runs wait, after their epoch in progress; or go on, where all of them wait."""
        client = self._client()

        def hold(names: Sequence[str]) -> list[str]:
            outcomes = client.pause_runs(self.folder, names)
            return [n for n, outcome in outcomes.items() if outcome in ("done", "requested")]

        def let_go(names: Sequence[str]) -> None:
            client.resume_runs(self.folder, names)
            client.ensure_supervisor(self.folder)

        if held := hold(runs):
            self._remember(f"hold of {count(held)}", lambda: let_go(held), held)
            return f"{count(held)} will wait (h lets them go on)"
        let_go(runs)
        self._remember(f"release of {count(runs)}", lambda: hold(runs), runs)
        return f"{count(runs)} may go on"

    def toggle_pause(self) -> str:
        """Start no further run, or go on."""
        client = self._client()
        if client.is_paused(self.folder):
            client.resume(self.folder)
            client.ensure_supervisor(self.folder)
            self._remember("resume", lambda: client.pause(self.folder))
            return "the queue goes on"
        client.pause(self.folder)

        def resume() -> None:
            client.resume(self.folder)
            client.ensure_supervisor(self.folder)

        self._remember("pause", resume)
        return "the queue is paused: what runs goes on to its end, nothing new starts"

    def undo(self) -> str:
        """Take back the newest request."""
        self._client()
        with self._lock:
            if not self.undos:
                return "nothing to undo"
            undo = self.undos.pop()
        undo.request()
        return f"took back the {undo.label}"

    def status(self) -> Status:
        """What the supervisor does; reading is always allowed."""
        from postertui.supervisor import requests

        return requests.status(self.folder)

    def is_paused(self) -> bool:
        from postertui.supervisor import requests

        return requests.is_paused(self.folder)

    def _remember(
        self, label: str, request: Callable[[], object], runs: Sequence[str] = ("queue",)
    ) -> None:
        if runs:
            with self._lock:
                self.undos.append(Undo(label, request))
                del self.undos[:-50]

    def _client(self) -> Any:
        if self.read_only:
            raise ReadOnlyError
        from postertui.supervisor import requests

        return requests


def count(runs: Sequence[object]) -> str:
    """`1 run`, `3 runs`."""
    return f"{len(runs)} run{'s' * (len(runs) != 1)}"
