"""The collecting side of events: the one writer of the runs that are out on a cluster.

It holds the lock of each such run, so that its state is true here: what is trained there is
`running`, and nobody else appends. A line counts once it is durable; one that is not newer than
the newest, by (attempt, seq), is dropped. Of a run that has ended, nothing more is taken.

    runs/<run>/cluster   the run is out there; holds the study. Survives the collector
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.runs.lock import RunLock
from postertui.runs.spec import list_runs
from postertui.supervisor.backends.ray.protocol import Line, join, newer, read_lines

MARKER = "cluster"

#: How many files are made durable at a time.
WRITERS = 8

#: A run's log grows no further than this, in bytes.
LONGEST_LOG = 4 << 20

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class _Claim:
    """A run whose lock is held. Raises `DamagedEventsError`, `OSError`."""

    def __init__(self, folder: Path, lock: RunLock) -> None:
        self.folder = folder
        self.lock = lock
        self.writer = EventWriter(folder / layout.EVENTS)
        lines = read_lines((folder / layout.EVENTS).read_bytes())
        self.last: Line | None = lines[-1] if lines else None
        self.pending: list[Line] = []

    @property
    def is_closed(self) -> bool:
        return self.last is not None and self.last.mark.is_end

    def take(self, lines: list[Line]) -> None:
        for line in newer(self.last, lines):
            if self.is_closed:
                return
            self.pending.append(line)
            self.last = line

    def write(self) -> bool:
        """Make what is pending durable; False where there is no room."""
        if not self.pending:
            return True
        mark = self.pending[-1].mark
        try:
            self.writer.append_lines(join(self.pending), mark.attempt, mark.seq)
        except OSError as error:
            if error.errno in _NO_ROOM:
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
        _allow_many_files()

    def __contains__(self, run: object) -> bool:
        return run in self._claims

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._claims))

    def __len__(self) -> int:
        return len(self._claims)

    def claim(self, run: str, study: str) -> bool:
        """Take the run's lock; False where somebody else has it. Raises `DamagedEventsError`."""
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
        (folder / MARKER).write_text(f"{study}\n")
        return True

    def release(self, run: str) -> None:
        """The run is no longer out there."""
        if claim := self._claims.pop(run, None):
            with contextlib.suppress(OSError):
                (claim.folder / MARKER).unlink(missing_ok=True)
                if claim.is_closed:
                    (claim.folder / layout.CANCEL).unlink(missing_ok=True)
            claim.close()

    def is_closed(self, run: str) -> bool:
        """Whether the run has its end."""
        return self._claims[run].is_closed

    def lines(self, run: str) -> bytes:
        """All of the run's events, pending ones included."""
        claim = self._claims[run]
        return (claim.folder / layout.EVENTS).read_bytes() + join(claim.pending)

    def take(self, run: str, data: bytes) -> None:
        """Note lines of a run; `flush` makes them durable. Raises `ValueError` for bad ones."""
        if claim := self._claims.get(run):
            claim.take(read_lines(data))
            if claim.pending:
                self._dirty.add(run)

    def flush(self) -> bool:
        """Make all that was taken durable; False where there was no room for some of it."""
        dirty = [run for run in self._dirty if run in self._claims]
        written = self._pool.map(lambda run: self._claims[run].write(), dirty)
        self._dirty = {run for run, done in zip(dirty, written, strict=True) if not done}
        return not self._dirty

    def is_pending(self, run: str) -> bool:
        """Whether lines of the run still wait for room on the disk."""
        return run in self._dirty

    def end_cancelled(self, run: str) -> None:
        """Write the end of a run that was cancelled and has no end yet."""
        claim = self._claims[run]
        if not claim.is_closed:
            claim.writer.append("end", status="cancelled", reason="cancelled")
            lines = read_lines((claim.folder / layout.EVENTS).read_bytes())
            claim.last = lines[-1]

    def log(self, run: str, data: bytes) -> None:
        """Append what a job printed."""
        if run not in self._claims:
            return
        with contextlib.suppress(OSError):
            path = self._folder / run / layout.LOG
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(fd).st_size < LONGEST_LOG:
                    os.write(fd, data)
            finally:
                os.close(fd)


def runs_out_there(folder: Path) -> dict[str, str]:
    """The runs that an earlier collector left on a cluster, and the study of each."""
    found = {}
    for run in list_runs(folder):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found[run] = (folder / run / MARKER).read_text().strip()
    return found


def _allow_many_files() -> None:
    """Two files are open for each run that is out there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
