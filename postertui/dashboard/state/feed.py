"""The thread that reads the runs folder and reports changes.

It posts one coalescing message however much has changed; its handler takes all that
has gathered with `drain`.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postertui.dashboard.state.run_view import RunView, view_of
from postertui.runs.store import Store
from postertui.system.crash_log import log_traceback
from postertui.system.gc_pause import gc_paused
from postertui.system.sharing import describe_os_error

if TYPE_CHECKING:
    import polars as pl

    from postertui.analysis.condensed import CondensedHistory

#: How many times less often the folder is looked at while nothing is at work.
IDLE = 2

#: How many runs are read before the pages that held them are given back.
RELEASE_AFTER = 500

#: How much longer each report of a first reading takes than the one before.
PATIENCE_GROWTH = 2.0


@dataclass
class RunUpdates:
    """Runs that are new or different, and the names of those that were removed."""

    changed: dict[str, RunView] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)


class RunFeed:
    """Reads `folder` every `period` seconds until `stop`, and calls `on_change` after changes.

    While no run is at work or waits for its turn it looks more rarely. Of thousands of runs that
    are read for the first time it reports some after `patience` seconds, and then more and more at
    a time: with each report everything is sorted and placed, so that there should be few.
    `on_change` is called from the reading thread, and once after the first reading even if
    there was nothing to read.
    """

    def __init__(
        self,
        folder: Path,
        on_change: Callable[[], object],
        period: float = 0.5,
        patience: float = 0.25,
    ) -> None:
        self.store = Store(folder)
        self._patience = patience
        self._all_read = False
        self.error: str | None = None
        self._on_change = on_change
        self._period = period
        self._pending = RunUpdates()
        self._open: set[str] = set()
        self._waiting: set[str] = set()
        self._reported: set[str] = set()
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._wake = threading.Event()
        self._condensed: CondensedHistory | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._loop, name="runs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def wake(self) -> None:
        """Read now instead of at the next tick."""
        self._wake.set()

    def drain(self) -> RunUpdates:
        """All that has gathered since the last call."""
        with self._lock:
            updates, self._pending = self._pending, RunUpdates()
        return updates

    def genre_table(self, genre: str | None, variant: str | None = None) -> pl.DataFrame:
        """The history table of a genre's runs, or of one variant's there; call it in a thread.

        Without a genre, as of a run that cannot be read, it is empty.
        """
        # Polars takes long to import, and a study without an analysis goes without it.
        from postertui.history.from_runs import history_table

        with self._reading:
            specs = ((run, run.spec) for run in self.store.runs.values())
            return history_table(
                run
                for run, spec in specs
                if spec is not None and spec.genre == genre and variant in (None, spec.variant.name)
            )

    def full_table(self) -> pl.DataFrame:
        """The history table of all runs with every epoch; call it in a thread, and seldom.

        It takes 160 kB for a run of 100 epochs; `study_table` serves what is computed all the time.
        """
        from postertui.history.from_runs import history_table

        with self._reading:
            table = history_table(self.store.runs.values())
            self.store.release_pages()
        return table

    def study_table(self) -> pl.DataFrame:
        """The condensed history table of all runs; call it in a thread."""
        from postertui.analysis.condensed import CondensedHistory

        with self._reading:
            self._condensed = self._condensed or CondensedHistory()
            table = self._condensed.table(list(self.store.runs.values()), self.store.release_pages)
            # What is done with the table wants room.
            self.store.release_pages()
        return table

    def records(self) -> dict[str, dict[str, Any]]:
        """Every run's flat record by its name, as filters see it; call it in a thread."""
        with self._reading:
            return {name: run.record() for name, run in self.store.runs.items()}

    def count_waiting(self) -> int:
        """How many runs wait for a supervisor; from any thread."""
        return len(self._waiting)

    def read(self, patience: float | None = None) -> bool:
        """Read once; whether anything changed, be it a new `error` or its end."""
        try:
            with self._reading:
                names = self.store.refresh(self._patience if patience is None else patience)
            recovered, self.error = self.error is not None, None
            if recovered:
                # What the failed readings changed was not reported.
                names = names | self.store.runs.keys() | self._reported
        except OSError as error:
            return self._set_error(describe_os_error(error, self.store.folder))
        except Exception as error:
            # The thread goes on: a dashboard that stands still must say so.
            return self._set_error(log_traceback(error))
        views: dict[str, RunView] = {}
        for number, name in enumerate(names, 1):
            if (run := self.store.runs.get(name)) is not None:
                views[name] = view_of(run)
            if number % RELEASE_AFTER == 0:
                self.store.release_pages()
        self._reported = (self._reported - names) | views.keys()
        self._waiting -= names
        self._waiting |= {n for n in views if self.store.runs[n].is_waiting}
        self._open -= names
        self._open |= {n for n, view in views.items() if view.state in ("running", "queued")}
        with self._lock:
            self._pending.changed.update(views)
            for name in names - views.keys():
                self._pending.changed.pop(name, None)
                self._pending.removed.add(name)
            self._pending.removed -= views.keys()
        return recovered or bool(names)

    def _set_error(self, error: str) -> bool:
        """Note why the folder cannot be read; whether that is new."""
        is_new, self.error = error != self.error, error
        return is_new

    def release_memory(self) -> None:
        """Give back to the system what an analysis of the table has freed."""
        with self._reading:
            self.store.release_pages()
        with contextlib.suppress(OSError, AttributeError):  # Not every C library has it.
            ctypes.CDLL(None).malloc_trim(0)

    def _loop(self) -> None:
        first = True
        patience = self._patience
        while not self._stopped:
            with nullcontext() if self._all_read else gc_paused(freeze=True):
                changed = self.read(patience)
            if changed or first:
                first = False
                self._on_change()
            if not self.store.is_complete:
                patience *= PATIENCE_GROWTH
                continue  # There are more runs than could be read at once.
            self._all_read, patience = True, self._patience
            self._wake.wait(self._period if self._open else IDLE * self._period)
            self._wake.clear()
            self.store.release_pages()
