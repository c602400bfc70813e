"""One of the runs that a job trains at a time: its folder, lock, events and log."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError, EventWriter
from postertui.runs.lifecycle import RunLifecycle, effective_epochs
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec
from postertui.runs.transitions import CANCELLED, NewEvent, append_under_lock
from postertui.system.atomic_files import sync
from postertui.training.job import checkpoints
from postertui.training.job.log import end_line, log_lines, now


class Member:
    """A run whose lock this job holds, between `acquire` and `release`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: EventWriter
        self.lifecycle: RunLifecycle
        self.spec: RunSpec
        #: The fields of the `end` event that its results give.
        self.results: dict[str, Any] = {}
        self._lock = RunLock(folder)
        self._log: Callable[[str], None] = lambda _line: None

    def acquire(self) -> bool:
        """Take the run's lock; False where another process has it. Raises `OSError`."""
        return self._lock.acquire()

    def release(self) -> None:
        """Give the lock up."""
        self._lock.release()

    def is_displaced(self) -> bool:
        """Whether the run's folder was moved or removed."""
        return self._lock.is_displaced()

    @contextlib.contextmanager
    def open_events(self) -> Iterator[None]:
        """Read the run's events, and be able to append. Raises `DamagedEventsError`, `OSError`."""
        with EventWriter(self.folder / layout.EVENTS) as self.writer:
            self.lifecycle = RunLifecycle.of(self.writer.events)
            yield

    @contextlib.contextmanager
    def open_log(self, opened: Callable[[Path], Any] = log_lines) -> Iterator[None]:
        """Write the run's log, which `opened` opens."""
        with opened(self.folder / layout.LOG) as self._log:
            yield

    def log(self, line: str) -> None:
        """Append a line to the run's log."""
        self._log(line)

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was asked to end."""
        return (self.folder / layout.CANCEL).exists()

    def has_epoch(self, epoch: int) -> bool:
        """Whether the run's history reaches `epoch`."""
        epochs = effective_epochs(self.writer.events)
        return bool(epochs) and epochs[-1]["epoch"] >= epoch

    def make_durable(self) -> None:
        """Bring spec and folder to the disk, before the first event says that the run began."""
        for path in (self.folder / layout.SPEC, self.folder, self.folder.parent):
            sync(path)

    def end(self, status: str, reason: str, **fields: Any) -> None:
        """Write the end of the attempt."""
        # First, so that the log is whole for every reader that sees the end.
        self._log(f"{now()} {end_line(status, reason)}")
        if reason:
            fields["reason"] = reason
        self.writer.append("end", status=status, **fields)
        if self.is_displaced():
            return
        with contextlib.suppress(OSError):
            (self.folder / layout.CANCEL).unlink(missing_ok=True)
            (self.folder / layout.CHECKPOINT_TEMPORARY).unlink(missing_ok=True)
            if status == "done":
                checkpoints.remove(self.folder)

    def honour_late_cancel(self) -> None:
        """Act on a request to cancel that came while the job still held the lock."""

        def end(lifecycle: RunLifecycle) -> NewEvent | None:
            return None if lifecycle.is_closed else CANCELLED

        request = self.folder / layout.CANCEL
        with contextlib.suppress(OSError, DamagedEventsError):
            if request.exists() and append_under_lock(self.folder, end) is not None:
                request.unlink(missing_ok=True)
