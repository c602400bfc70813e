"""Where each run of the folder stands: it waits, has a worker, is adopted, or is unrecorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError
from postertui.runs.lifecycle import read_lifecycle
from postertui.runs.lock import is_locked
from postertui.runs.run_names import is_run_name, list_runs
from postertui.runs.spec import UnreadSpecError, read_spec
from postertui.supervisor import folder as files
from postertui.supervisor.backends.base import RunReport
from postertui.supervisor.decisions import needs_training
from postertui.supervisor.hindrance import Hindrance
from postertui.supervisor.log import write_log
from postertui.supervisor.lost_runs import record_lost_run
from postertui.supervisor.probe import (
    RunStamp,
    ends_closed,
    file_stamp,
    is_paused,
    read_priority,
    run_stamp,
)
from postertui.supervisor.queue import QueuedRun, RunQueue
from postertui.supervisor.stall import ActiveRun
from postertui.supervisor.units import read_unit, unit_of
from postertui.system.crash_log import log_traceback
from postertui.system.errors import UserError
from postertui.system.os_errors import disk_full_reason, is_disk_full, is_passing
from postertui.system.text import to_single_line


class SupervisedRuns:
    """The open runs of one folder, by what is to be done about them.

    Parameters
    ----------
    folder
        The runs folder.
    has_lease
        Whether the folder is still the supervisor's, so that runs may be written to.

    Attributes
    ----------
    waiting
        Runs that wait for a worker.
    submitted
        Runs that the backend was given.
    adopted
        Runs that a job works on which an earlier supervisor started.
    unrecorded
        Runs whose end could not be written, because the disk was full.
    is_full
        Whether the disk is full.
    hindrance
        Why no run is started for a while, if so.
    requeues
        Whether runs that are recorded as lost wait again; not while the supervisor stops.
    """

    def __init__(self, folder: Path, has_lease: Callable[[], bool]) -> None:
        self.waiting = RunQueue()
        self.submitted: dict[str, ActiveRun] = {}
        self.adopted: dict[str, ActiveRun] = {}
        self.unrecorded: dict[str, RunReport] = {}
        self.is_full = False
        self.hindrance = Hindrance()
        self.requeues = True
        self._folder = folder
        self._has_lease = has_lease
        self._stamps: dict[str, RunStamp] = {}
        self._closed: dict[str, RunStamp] = {}
        self._errors: dict[str, str] = {}

    @property
    def is_any_active(self) -> bool:
        """Whether any run is trained, or has an end to be written."""
        return bool(self.submitted or self.adopted or self.unrecorded)

    def scan(self) -> None:
        """Bring what waits up to date with the folder."""
        names = {name for name in list_runs(self._folder) if is_run_name(name)}
        for removed in set(self.waiting) - names:
            self.waiting.remove(removed)
        for name in names - self.submitted.keys() - self.adopted.keys() - self.unrecorded.keys():
            self.refresh(name)

    def refresh(self, name: str) -> None:
        """Read one run and put it where it stands. Never raises for the run."""
        try:
            self._read(name)
        except Exception as error:
            self.set_aside(name, error)

    def set_aside(self, name: str, error: Exception) -> None:
        """Leave out a run that cannot be read or written; the others go on.

        Readers show it as damaged, and `postertui doctor --repair` moves it aside.
        """
        self.waiting.remove(name)
        for runs in (self.submitted, self.adopted, self.unrecorded):
            runs.pop(name, None)
        is_read_again = isinstance(error, UnreadSpecError) or (
            isinstance(error, OSError) and is_passing(error)
        )
        if not is_read_again:
            self._closed[name] = run_stamp(self._folder / name)
        text = f"{type(error).__name__}: {error}"
        if self._errors.get(name) == text:
            return
        self._errors[name] = text
        if isinstance(error, OSError | UserError | DamagedEventsError):
            write_log(f"{name}: {to_single_line(str(error))}")
        else:
            write_log(f"{name}: {log_traceback(error)}")

    def mark_submitted(self, entries: Iterable[QueuedRun]) -> None:
        """Note that runs no longer wait but have a worker."""
        for entry in entries:
            self.waiting.remove(entry.run)
            self.submitted[entry.run] = ActiveRun.observe(self._folder / entry.run, entry.unit)

    def return_to_queue(self, entries: Iterable[QueuedRun]) -> None:
        """Take `mark_submitted` back."""
        for entry in entries:
            del self.submitted[entry.run]
            self.waiting.put(entry)

    def has_grown(self, active: ActiveRun) -> bool:
        """Whether the run has events since it was submitted."""
        return file_stamp(active.folder / layout.EVENTS)[1] != active.size_at_submit

    def locked(self) -> set[str]:
        """The adopted runs that their jobs still work on."""
        locked = set()
        for run in list(self.adopted):
            try:
                if is_locked(self._folder / run):
                    locked.add(run)
            except OSError as error:
                self.set_aside(run, error)
        return locked

    def record_loss(self, run: str, reason: str, *, fault: bool, silent: bool = False) -> None:
        """Write the end that the job of `run` did not, see `record_lost_run`.

        On a full disk that is done once there is room. A run that a job holds after all is
        adopted. Never raises for the run.
        """
        path = self._folder / run
        if not self._has_lease():
            return
        try:
            if record_lost_run(path, reason, fault=fault, silent=silent) is None:
                self.adopted[run] = ActiveRun.observe(path, read_unit(path))
                return
        except OSError as error:
            if is_disk_full(error):
                report = RunReport(run, "lost" if fault else "full", reason)
                self.record_later(report, disk_full_reason(self._folder))
                return
            self.set_aside(run, error)
            return
        except Exception as error:
            self.set_aside(run, error)
            return
        self.unrecorded.pop(run, None)
        if self.requeues:
            self.refresh(run)

    def record_later(self, report: RunReport, full: str) -> None:
        """Keep what could not be written; `full` says which disk has no room."""
        self.is_full = True
        self.hindrance.meet(full)
        self.unrecorded[report.run] = report

    def record_delayed(self) -> None:
        """Write what could not be written, if there is room on the disk again."""
        if not (self.is_full and self.hindrance.is_due() and files.has_room(self._folder)):
            return
        self.is_full = False
        self.hindrance.clear()
        for run, report in list(self.unrecorded.items()):
            del self.unrecorded[run]
            self.record_loss(run, report.reason or "the disk was full", fault=report.kind == "lost")

    def _read(self, name: str) -> None:
        path = self._folder / name
        stamp = run_stamp(path)
        if self._closed.get(name) == stamp:
            return
        queued = self.waiting.get(name)
        if queued is not None and self._stamps.get(name) == stamp:
            priority, paused = read_priority(path), is_paused(path)
            if (priority, paused) != (queued.priority, queued.paused):
                self.waiting.put(replace(queued, priority=priority, paused=paused))
            return
        self.waiting.remove(name)
        self._stamps[name] = stamp
        if ends_closed(path / layout.EVENTS):
            self._closed[name] = stamp
            return
        lifecycle = read_lifecycle(path)
        spec = read_spec(path)
        if not needs_training(lifecycle, spec):
            self._closed[name] = stamp
            return
        self._closed.pop(name, None)
        if is_locked(path):
            self.adopted[name] = ActiveRun.observe(path, unit_of(spec))
        elif lifecycle.is_started:
            self.record_loss(name, "its job was lost", fault=True)
        else:
            entry = QueuedRun(
                name,
                spec.genre,
                spec.created,
                read_priority(path),
                lifecycle.needs_exclusive_device,
                is_paused(path),
                unit_of(spec),
            )
            self.waiting.put(entry)
