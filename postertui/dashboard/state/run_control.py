"""What the dashboard asks of the supervisor; it never writes to a run itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.runs.run_names import run_folder
from postertui.runs.spec import read_spec
from postertui.runs.state_words import QUEUE_PAUSED
from postertui.system.errors import UserError
from postertui.system.text import pluralize, to_single_line

if TYPE_CHECKING:
    from postertui.runs.spec import RunSpec
    from postertui.study import CodeSource
    from postertui.supervisor.folder import Status

#: Seconds within which a cancelled run has ended, however long its epoch takes (see
#: `postertui.training.job.stop_listener`), and some more.
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


class RunControl:
    """Requests to the supervisor of `folder`. With `read_only` each raises `ReadOnlyError`.

    Every request can block for a moment and raise `UserError`: call them in a thread.
    """

    def __init__(
        self,
        folder: Path,
        *,
        read_only: bool = False,
        describe: Callable[[Sequence[str]], str] | None = None,
    ) -> None:
        self.folder = folder
        self.read_only = read_only
        self._describe = describe or (lambda names: pluralize(len(names), "run"))
        self.undos: list[Undo] = []
        self._lock = threading.Lock()

    def launch(
        self,
        missing: Sequence[RunSpec],
        *,
        again: Sequence[RunSpec] = (),
        jobs: int | None = None,
        code_files: Mapping[str, CodeSource] | None = None,
    ) -> str:
        """Queue the `missing` runs and `again` those that ended, and have them worked on.

        `code_files` are the plan's.
        """
        self._check_may_change()
        from postertui.supervisor import plan, requests
        from postertui.supervisor.installed import check_trainable

        check_trainable()
        plan.queue(self.folder, missing, code_files)
        names = [spec.run for spec in missing] + self._requeue([spec.run for spec in again])
        requests.ensure_supervisor(self.folder, jobs=jobs)

        def cancel() -> None:
            requests.cancel(self.folder, names)

        what = describe_specs([*missing, *again])
        self._remember(f"start of {what}", cancel, names)
        return f"queued {what} (u undoes)"

    def ignored_settings(self) -> list[str]:
        """What of this process's settings a supervisor at work does not go by, a line each."""
        from postertui.supervisor import requests

        return requests.ignored_settings(self.folder)

    def cancel(self, runs: Sequence[str]) -> str:
        """End these runs; what they trained stays."""
        self._check_may_change()
        from postertui.supervisor import requests

        outcomes = requests.cancel(self.folder, runs)
        affected = [name for name, outcome in outcomes.items() if outcome in ("done", "requested")]
        if not affected:
            return f"nothing cancelled: {self._describe(runs)} had ended"
        what = self._describe(affected)
        self._remember(f"cancel of {what}", lambda: self._undo_cancel(affected), affected)
        return f"cancelled {what} (u undoes)"

    def retry(self, runs: Sequence[str]) -> str:
        """Queue these runs again, and have what is queued worked on."""
        from postertui.supervisor import requests

        affected = self._retry(runs)
        if not affected and all(self._is_external(name) for name in runs):
            return "written by a program of their own: start that again"
        if not affected:
            return "the queue is being worked on"

        def cancel() -> None:
            requests.cancel(self.folder, affected)

        what = self._describe(affected)
        self._remember(f"retry of {what}", cancel, affected)
        return f"queued {what} (u undoes)"

    def _is_external(self, run: str) -> bool:
        """Whether a program of its own trains the run."""
        try:
            return read_spec(run_folder(self.folder, run)).is_external
        except UserError:
            return False

    def _undo_cancel(self, runs: Sequence[str]) -> None:
        """Queue cancelled runs again, those that are still ending as soon as they have."""
        deadline = time.monotonic() + CANCEL_PATIENCE
        remaining = list(runs)
        while remaining:
            revived = self._retry(remaining)
            remaining = [name for name in remaining if name not in revived]
            if not remaining or time.monotonic() > deadline:
                return
            time.sleep(0.1)

    def _retry(self, runs: Sequence[str]) -> list[str]:
        from postertui.supervisor import requests

        affected = self._requeue(runs)
        requests.ensure_supervisor(self.folder)
        return affected

    def _requeue(self, runs: Sequence[str]) -> list[str]:
        self._check_may_change()
        from postertui.supervisor import requests

        outcomes = requests.retry(self.folder, runs)
        return [name for name, outcome in outcomes.items() if outcome == "done"]

    def raise_priority(self, runs: Sequence[str], by: int) -> str:
        """Let these runs go earlier (`by` above 0) or later."""
        self._check_may_change()
        from postertui.supervisor import requests

        before = {name: requests.priority(self.folder, name) for name in runs}
        for name, value in before.items():
            requests.set_priority(self.folder, [name], value + by)

        def back() -> None:
            for name, value in before.items():
                requests.set_priority(self.folder, [name], value)

        what = self._describe(runs)
        self._remember(f"change of priority of {what}", back, list(runs))
        new = {value + by for value in before.values()}
        level = f"{new.pop():+d}" if len(new) == 1 else ("higher" if by > 0 else "lower")
        return f"priority of {what} is now {level}"

    def toggle_hold(self, runs: Sequence[str]) -> str:
        """Hold these runs, after their epoch in progress; release them where all are held."""
        self._check_may_change()
        from postertui.supervisor import requests

        def hold(names: Sequence[str]) -> list[str]:
            outcomes = requests.pause_runs(self.folder, names)
            return [n for n, outcome in outcomes.items() if outcome in ("done", "requested")]

        def release(names: Sequence[str]) -> None:
            requests.resume_runs(self.folder, names)
            requests.ensure_supervisor(self.folder)

        if held_runs := hold(runs):
            what = self._describe(held_runs)
            self._remember(f"hold of {what}", lambda: release(held_runs), held_runs)
            return f"held {what} (h releases)"
        release(runs)
        what = self._describe(runs)
        self._remember(f"release of {what}", lambda: hold(runs), runs)
        return f"released {what}"

    def toggle_pause(self) -> str:
        """Start no further run, or go on."""
        self._check_may_change()
        from postertui.supervisor import requests

        if requests.is_queue_paused(self.folder):
            requests.resume(self.folder)
            requests.ensure_supervisor(self.folder)
            self._remember("resume", lambda: requests.pause(self.folder))
            return "the queue goes on"
        requests.pause(self.folder)

        def resume() -> None:
            requests.resume(self.folder)
            requests.ensure_supervisor(self.folder)

        self._remember("pause", resume)
        return f"the queue is {QUEUE_PAUSED}: running runs go on to their end, nothing new starts"

    def undo(self) -> str:
        """Take back the newest request."""
        self._check_may_change()
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

        return requests.is_queue_paused(self.folder)

    def _remember(
        self, label: str, request: Callable[[], object], runs: Sequence[str] = ("queue",)
    ) -> None:
        if runs:
            with self._lock:
                self.undos.append(Undo(label, request))
                del self.undos[:-50]

    def _check_may_change(self) -> None:
        if self.read_only:
            raise ReadOnlyError


def describe_specs(specs: Sequence[RunSpec]) -> str:
    """Runs that may not be there yet, in words: the first one's name, and how many more."""
    if not specs:
        return pluralize(0, "run")
    return describe_first(specs[0].genre, specs[0].variant.name, len(specs))


def describe_first(genre: str, variant: str, count: int) -> str:
    """`Comedy · base`, or `Comedy · base and 2 more` where there are three."""
    more = f" and {count - 1} more" if count > 1 else ""
    return to_single_line(f"{genre} · {variant}{more}", 120)
