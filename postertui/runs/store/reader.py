"""The runs of a folder, kept up to date."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError
from postertui.runs.lock import is_locked
from postertui.runs.run_names import list_runs
from postertui.runs.store.cache import Cache, CachedRuns
from postertui.runs.store.due_runs import DueRuns
from postertui.runs.store.identity import (
    UNREADABLE,
    Identity,
    Reading,
    run_identity,
)
from postertui.runs.store.kinds import SpecKinds
from postertui.runs.store.new_run import explain_denied_run, read_new_run
from postertui.runs.store.notes_reader import NotesReader
from postertui.runs.store.parse import apply_file
from postertui.runs.store.run import Run
from postertui.runs.store.runs_by_name import RunsByName
from postertui.runs.store.stored_run import StoredRun
from postertui.system.crash_log import log_traceback
from postertui.system.os_errors import is_passing

if TYPE_CHECKING:
    from postertui.runs.store.columns import Rows

#: How many new runs are read between two looks at the clock.
BATCH = 500

#: Where at least this many runs are read that the cache lacks, their epochs are kept in a file.
SPOOL_FROM = 2_000

#: The cache is saved after this many closed runs were read again, or this long a reading.
SAVE_AFTER_RUNS = 200
SAVE_AFTER_SECONDS = 0.3

#: In a folder of up to this many runs, both files of a run are looked at to see whether the cache
#: holds them; of more, only the events, to which every change of a closed run is appended:
#: `run.json` is written once, and is looked at in turn afterwards.
BOTH_FILES_UP_TO = 5_000


class Store:
    """All runs below `folder`, by name.

    `runs` is replaced run by run as `refresh` finds changes; it itself stays.
    """

    def __init__(self, folder: Path, *, cache: bool = True) -> None:
        self.folder = folder
        self.runs = RunsByName()
        self._root = os.fspath(folder)
        self._cache = Cache(folder, self._reread_rows) if cache else None
        self._cached: CachedRuns | None = None
        self._kinds = SpecKinds()
        self._unread: set[str] = set()
        # How far runs were read; one of the cache of which nothing was read since has its own.
        self._readings: dict[str, Reading] = {}
        self._list_time: int | None = None
        self._due = DueRuns(self._root, self.runs)
        self._fresh, self._spent = 0, 0.0
        self._notes = NotesReader(folder)

    @property
    def is_complete(self) -> bool:
        """Whether every run that was there at the last `refresh` has been read."""
        return not self._unread

    def refresh(self, patience: float = math.inf) -> set[str]:
        """Read what is new; the names of the runs that changed, came or went.

        Of many new runs it reads some and leaves the others to the next call (see `is_complete`)
        when it has taken longer than `patience` seconds. Raises `OSError` where the folder cannot
        be read; a missing folder has no runs.
        """
        began = time.monotonic()
        self._due.note_changes()
        if self._cached is None and self._cache is not None:
            self._cached = self._cache.load()
        changed = self._list(began + patience)
        if not self.is_complete:
            self._spent += time.monotonic() - began
            return changed | self._notes.refresh(self.runs, changed)
        for name in self._due.take():
            if name not in changed and self._refresh_run(name):
                changed.add(name)
        self._spent += time.monotonic() - began
        if self._fresh >= SAVE_AFTER_RUNS or (self._fresh and self._spent > SAVE_AFTER_SECONDS):
            self._save_cache()
        self._spent = 0.0
        return changed | self._notes.refresh(self.runs, changed)

    @property
    def waiting_runs(self) -> int:
        """How many runs wait for a supervisor; from any thread."""
        return self._due.count_waiting()

    def release_pages(self) -> None:
        """Keep no more of the closed runs' epochs in memory than is in use."""
        if self._cached is not None:
            self._cached.release_pages()
        if self._cache is not None:
            self._cache.release_pages()

    def _list(self, deadline: float) -> set[str]:
        """List the runs, and read new ones until `deadline`; those that came or went."""
        changed = self._list_folder()
        names = sorted(self._unread)
        both_files = len(self.runs) + len(names) <= BOTH_FILES_UP_TO
        for first in range(0, len(names), BATCH):
            if first and time.monotonic() > deadline:
                break
            batch = names[first : first + BATCH]
            unchanged: dict[str, int] = {}
            if self._cached is not None:
                unchanged = self._cached.find_unchanged(self._root, batch, both_files=both_files)
                self.runs.add_cached(self._cached, unchanged)
            for name in batch:
                if name not in unchanged:
                    self._refresh_run(name)
                    self._spool(name)
            changed.update(batch)
            self._unread.difference_update(batch)
        return changed

    def _spool(self, name: str) -> None:
        """Keep a closed run no longer in memory, where a new cache is made."""
        if self._cache is not None and name in self.runs and self._is_cacheable(name):
            stored = self._cache.take(self.runs[name], self._readings[name])
            if stored is not None:
                self.runs[name] = stored
                del self._readings[name]

    def _list_folder(self) -> set[str]:
        """List the runs; those that went. New ones are unread."""
        try:
            stamp = os.stat(self._root).st_mtime_ns  # noqa: PTH116
            if stamp == self._list_time:
                return set()
            names = list_runs(self._root)
        except FileNotFoundError:
            stamp, names = -1, set()
        # Within a tick of the file system's clock, a later change may leave the same time.
        self._list_time = stamp if time.time_ns() - stamp > 50_000_000 else None
        gone = self.runs.keys() - names
        for name in gone:
            self._remove(name)
        self._unread = names - self.runs.keys()
        is_new = self._cached is not None and self._cached.is_empty and not self.runs
        if is_new and self._cache is not None and len(self._unread) >= SPOOL_FROM:
            self._cache.begin_spool()
        return gone

    def _refresh_run(self, name: str) -> bool:
        """Read what is new of one run; whether it changed. Never raises for the run."""
        changed = self._read_run(name)
        if self.runs[name].damage is not None and not os.path.isdir(f"{self._root}/{name}"):  # noqa: PTH112
            # It was moved or removed since the folder was listed.
            self._remove(name)
            return True
        self._due.record(name)
        return changed

    def _remove(self, name: str) -> None:
        self._readings.pop(name, None)
        self._due.remove(name)
        del self.runs[name]

    def _read_run(self, name: str) -> bool:
        before = self.runs.get(name)
        is_unreadable = False
        try:
            return self._update_run(name)
        except OSError as error:
            damage = f"{error.filename or self.folder / name}: {error.strerror}"
            if is_unreadable := is_passing(error):
                damage += "; try again"
        except Exception as error:
            # Unforeseen, but of this run alone: all others are shown.
            damage = f"{self.folder / name}: {log_traceback(error)}"
        run = self.runs.setdefault(name, Run(name, None))
        run.damage, run.is_unreadable = damage, is_unreadable
        run.locked = run.cancelling = run.held = False
        explain_denied_run(self.folder, run)
        # With no file's identity, the run is read again at each refresh.
        self._readings[name] = Reading(UNREADABLE)
        return before is None or before.damage != damage

    def _update_run(self, name: str) -> bool:
        identity = run_identity(f"{self._root}/{name}")
        run = self.runs.get(name)
        changed = False
        if run is None or self._is_other(name, run, identity):
            self._readings.pop(name, None)
            run = self.runs[name] = read_new_run(self.folder, name, self._kinds.parse)
            changed = True
        changed |= self._read_events(name, run, identity)
        is_open = not run.is_closed
        locked = is_open and is_locked(self.folder / name)
        cancelling = is_open and os.path.exists(f"{self._root}/{name}/{layout.CANCEL}")  # noqa: PTH110
        held = is_open and os.path.exists(f"{self._root}/{name}/{layout.PAUSED}")  # noqa: PTH110
        changed |= (locked, cancelling, held) != (run.locked, run.cancelling, run.held)
        run.locked, run.cancelling, run.held = locked, cancelling, held
        return changed

    def _is_other(self, name: str, run: Run, identity: Identity) -> bool:
        """Whether the files are others than those the run was read from, not only longer."""
        reading = self._reading(name)
        if reading is None or reading.identity == identity:
            return False
        before = reading.identity
        if before.spec != identity.spec or run.damage is not None:
            return True
        replaced = before.events[0] not in (0, identity.events[0])
        return replaced or identity.events[1] < before.events[1]

    def _reread_rows(self, name: str) -> Rows:
        """A closed run's epochs from its own files, which have not changed since they were read."""
        store = Store(self.folder, cache=False)
        store._read_run(name)
        return store.runs[name].buffer.rows()

    def _reading(self, name: str) -> Reading | None:
        """How far the run was read; None where it was not."""
        reading = self._readings.get(name)
        if reading is None and isinstance(run := self.runs.get(name), StoredRun):
            return run.reading
        return reading

    def _read_events(self, name: str, run: Run, identity: Identity) -> bool:
        reading = self._reading(name) or Reading(UNREADABLE)
        if reading.identity == identity:
            return False
        reading.identity = identity
        self._readings[name] = reading
        if identity.events[1] <= reading.size:
            return False
        # Paths are strings here: making a `Path` takes a tenth of a small run's reading.
        path = f"{self._root}/{name}/{layout.EVENTS}"
        before = reading.lines
        try:
            apply_file(run, path, reading)
        except DamagedEventsError as error:
            run.damage = run.damage or f"{path}:{error.line}: {error.reason}"
            run.is_newer = run.is_newer or error.is_newer
            return True
        except OSError as error:
            if is_passing(error):
                raise
            run.damage = run.damage or f"{path}: {error.strerror}"
            explain_denied_run(self.folder, run)
            return True
        run.is_newer = run.is_newer or run.lifecycle.is_newer
        self._fresh += run.is_closed and reading.lines > before
        return reading.lines > before

    def _save_cache(self) -> None:
        self._fresh = 0
        if self._cache is None:
            return
        closed = [
            (run, self._readings.get(name))
            for name, run in self.runs.items()
            if self._is_cacheable(name)
        ]
        try:
            self._cache.save(closed)
        except Exception as error:
            # Unforeseen, but of the cache alone: the runs have been read, and are read without it.
            log_traceback(error)
            self._cache = None

    def _is_cacheable(self, name: str) -> bool:
        """Whether the run is closed and without fault, and was read to its end."""
        run, reading = self.runs[name], self._readings.get(name)
        if reading is None:
            return isinstance(run, StoredRun)
        if run.damage is not None or run.is_newer or not run.is_closed:
            return False
        return reading.identity.events[1] == reading.size


def read_run(folder: Path, name: str) -> Run | None:
    """The run of that name as it is now; None where there is none."""
    store = Store(folder, cache=False)
    store._refresh_run(name)
    return store.runs.get(name)
