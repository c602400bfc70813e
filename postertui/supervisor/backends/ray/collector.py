"""Collects the events of runs that are submitted to a cluster; the one writer of their folders.

It holds the lock of each such run, so that the state derived here is true (`running`) and no other
process appends. Lines that are not newer than the newest, by (attempt, seq), are dropped; so is
all that follows the end of a run.

    runs/<run>/cluster   the run is submitted; holds the study. Outlives the collector
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.runs.lock import RunLock
from postertui.runs.run_names import list_runs
from postertui.supervisor.backends.ray.event_lines import (
    EventLine,
    join_lines,
    newer_lines,
    parse_lines,
)
from postertui.system.atomic_files import write_atomic
from postertui.system.os_errors import is_disk_full
from postertui.system.regular_files import MAX_JSON_BYTES, read_regular

#: How many files are synced at a time.
WRITERS = 8

#: A run's log is not appended to beyond this size, in bytes.
MAX_LOG_SIZE = 4 << 20


class _Claim:
    """A run whose lock is held. Raises `DamagedEventsError`, `OSError`."""

    def __init__(self, folder: Path, lock: RunLock) -> None:
        self.folder = folder
        self.lock = lock
        self.writer = EventWriter(folder / layout.EVENTS)
        lines = parse_lines((folder / layout.EVENTS).read_bytes())
        self.last: EventLine | None = lines[-1] if lines else None
        self.pending: list[EventLine] = []
        self.pending_results: dict[str, bytes] = {}

    @property
    def is_closed(self) -> bool:
        return self.last is not None and self.last.header.is_end

    def add(self, lines: list[EventLine]) -> None:
        for line in newer_lines(self.last, lines):
            if self.is_closed:
                return
            self.pending.append(line)
            self.last = line

    def write(self) -> bool:
        """Make what is pending durable; False where there is no room."""
        try:
            for name in list(self.pending_results):
                write_atomic(self.folder / name, self.pending_results[name], durable=True)
                del self.pending_results[name]
            if not self.pending:
                return True
            header = self.pending[-1].header
            self.writer.append_lines(join_lines(self.pending), header.attempt, header.seq)
        except OSError as error:
            if is_disk_full(error):
                return False
            raise
        self.pending.clear()
        return True

    def close(self) -> None:
        self.writer.close()
        self.lock.release()


class Collector:
    """The claims on the runs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._claims: dict[str, _Claim] = {}
        self._dirty: set[str] = set()
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="collect")
        _raise_open_file_limit()

    def __contains__(self, run: object) -> bool:
        return run in self._claims

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._claims))

    def __len__(self) -> int:
        return len(self._claims)

    def claim(self, run: str, study: str) -> bool:
        """Take the run's lock; False where another process has it. Raises `DamagedEventsError`."""
        if run in self._claims:
            return True
        folder = self._folder / run
        lock = RunLock(folder)
        if not lock.acquire():
            return False
        try:
            claim = _Claim(folder, lock)
        except BaseException:
            lock.release()
            raise
        self._claims[run] = claim
        (folder / layout.CLUSTER).write_text(f"{study}\n")
        return True

    def release(self, run: str) -> None:
        """Give up the lock of a run that is no longer submitted."""
        if claim := self._claims.pop(run, None):
            with contextlib.suppress(OSError):
                (claim.folder / layout.CLUSTER).unlink(missing_ok=True)
                if claim.is_closed:
                    (claim.folder / layout.CANCEL).unlink(missing_ok=True)
            claim.close()

    def is_closed(self, run: str) -> bool:
        """Whether the run's events end it."""
        return self._claims[run].is_closed

    def lines(self, run: str) -> bytes:
        """All of the run's events, pending ones included."""
        claim = self._claims[run]
        return (claim.folder / layout.EVENTS).read_bytes() + join_lines(claim.pending)

    def add_lines(self, run: str, data: bytes) -> None:
        """Add lines of a run; `flush` makes them durable. Raises `ValueError` for bad ones."""
        if claim := self._claims.get(run):
            claim.add(parse_lines(data))
            if claim.pending:
                self._dirty.add(run)

    def add_result(self, run: str, name: str, content: bytes) -> None:
        """Add one of `layout.RESULTS`; `flush` writes it before the run's lines."""
        if (claim := self._claims.get(run)) and name in layout.RESULTS and not claim.is_closed:
            claim.pending_results[name] = content
            self._dirty.add(run)

    def flush(self) -> bool:
        """Make all added lines durable; False where there was no room for some of them."""
        dirty = [run for run in self._dirty if run in self._claims]
        written = self._pool.map(lambda run: self._claims[run].write(), dirty)
        self._dirty = {run for run, done in zip(dirty, written, strict=True) if not done}
        return not self._dirty

    def is_pending(self, run: str) -> bool:
        """Whether lines of the run wait for room on the disk."""
        return run in self._dirty

    def end_cancelled(self, run: str) -> None:
        """Write the end of a run that was cancelled and has no end yet."""
        claim = self._claims[run]
        if not claim.is_closed:
            claim.writer.append("end", status="cancelled", reason="cancelled")
            lines = parse_lines((claim.folder / layout.EVENTS).read_bytes())
            claim.last = lines[-1]

    def append_log(self, run: str, data: bytes) -> None:
        """Append what a job printed."""
        if run not in self._claims:
            return
        with contextlib.suppress(OSError):
            path = self._folder / run / layout.LOG
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(fd).st_size < MAX_LOG_SIZE:
                    os.write(fd, data)
            finally:
                os.close(fd)


def submitted_runs(folder: Path) -> dict[str, str]:
    """The runs that an earlier collector submitted, and the study of each."""
    studies = {}
    for run in list_runs(folder):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            studies[run] = (
                read_regular(folder / run / layout.CLUSTER, MAX_JSON_BYTES).decode().strip()
            )
    return studies


def _raise_open_file_limit() -> None:
    """Raise the limit of open files: two are open for each submitted run."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 65_536 if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
