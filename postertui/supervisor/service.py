"""The supervisor: submits the runs that wait, observes those being trained, ends the lost ones.

All of its state follows from the folder, so that it can be killed at any moment: the next one
reads the folder, adopts the runs that some job still works on, and submits the rest.
"""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError
from postertui.runs.lifecycle import read_lifecycle
from postertui.runs.lock import is_locked
from postertui.runs.spec import is_run_name, list_runs, read_spec
from postertui.supervisor import folder as files
from postertui.supervisor.backends.base import Backend, RunReport
from postertui.supervisor.job_settings import job_settings
from postertui.supervisor.lost_runs import record_lost_run
from postertui.supervisor.probe import (
    RunIdentity,
    ends_closed,
    file_identity,
    is_paused,
    read_priority,
    run_identity,
)
from postertui.supervisor.queue import QueuedRun, RunQueue
from postertui.supervisor.stall import ActiveRun, StallLimits
from postertui.supervisor.units import read_unit, unit_of
from postertui.system.atomic_files import write_atomic
from postertui.system.crash_log import log_traceback
from postertui.system.errors import UserError
from postertui.system.locks import FileLock
from postertui.system.processes import Process
from postertui.system.text import to_single_line

#: Seconds between two checks of the change counter, of adopted runs, and for stalled jobs.
TICK = 0.25

#: Seconds between two ticks after which this process, or its machine, counts as having been frozen.
FROZEN_AFTER = 10.0

#: The supervisor ends after so many steps in a row that raised an unexpected error.
MAX_FAILURES = 5

#: Seconds after which the whole folder is scanned although the change counter stands still.
SCAN_INTERVAL = 30.0


class Supervisor:
    """One runs folder's queue.

    The caller holds the folder's supervisor `lock`. Once that no longer lies in the folder, which
    was moved, removed or made again, the supervisor stops its jobs and writes nothing any more.
    """

    def __init__(
        self,
        folder: Path,
        backend: Backend,
        limits: StallLimits | None = None,
        lock: FileLock | None = None,
    ) -> None:
        self._folder = folder
        self._backend = backend
        self._limits = limits or StallLimits.from_environment()
        self._waiting = RunQueue()
        self._identities: dict[str, RunIdentity] = {}
        self._closed: dict[str, RunIdentity] = {}
        self._submitted: dict[str, ActiveRun] = {}
        self._adopted: dict[str, ActiveRun] = {}
        self._unrecorded: dict[str, RunReport] = {}
        self._genre: str | None = None
        self._last_scan = -SCAN_INTERVAL
        self._change_count = -1
        self._full = False
        self._stopping = False
        self._lock = lock
        self._last_tick = time.monotonic()
        self._failures: dict[str, str] = {}
        self._failure: str | None = None
        self._written: files.Status | None = None
        self._process = Process.current()
        self._job_settings = job_settings(files.read_settings(folder).device)
        self._left: dict[str, dict[str, RunReport]] = {}
        for run in backend.runs_in_progress():
            self._submitted[run] = ActiveRun.observe(folder / run, read_unit(folder / run))

    def stop(self) -> None:
        """End after the current tick: jobs are stopped, their runs can be resumed."""
        self._stopping = True

    def scan_soon(self) -> None:
        """Read the whole folder at the next tick, whether or not anything was announced."""
        self._last_scan = -SCAN_INTERVAL

    def describe(self) -> str:
        """The queue in a line, for the log."""
        return (
            f"{len(self._submitted)} runs submitted, {len(self._adopted)} adopted, "
            f"{len(self._waiting)} waiting; {self._backend.blocking_reason() or 'nothing blocks'}"
        )

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    def run(self) -> None:
        """Work until there is nothing left to do, or `stop`."""
        failures = 0
        while not self._stopping:
            try:
                if not self.step(TICK):
                    return
                failures = 0
            except Exception as error:
                failures += 1
                if self.has_lease():
                    if failures == MAX_FAILURES:
                        raise
                    sys.stderr.write(f"{log_traceback(error)}\n")
                    time.sleep(TICK)
            if not self.has_lease():
                sys.stderr.write(f"{self._folder}: moved or removed; the supervisor ends\n")
                self._stopping = True

    def fail(self, error: BaseException) -> None:
        """Note, for clients, that the supervisor ends because of `error`."""
        self._failure = log_traceback(error)

    def has_lease(self) -> bool:
        """Whether the folder is still the one whose lock this supervisor holds."""
        return self._lock is None or not self._lock.is_displaced()

    def step(self, timeout: float) -> bool:
        """Scan, submit, handle what happens within `timeout` seconds; False if there is no work."""
        self.scan()
        self._check_room()
        self._submit_waiting()
        if self._is_idle():
            return False
        self._write_status()
        self._handle_reports(self._backend.poll(timeout))
        if self.has_lease():
            self._release_adopted()
            self._end_stalled()
        return True

    def finish(self, patience: float = 7.0) -> None:
        """Stop the jobs and record their runs as interrupted; nothing is left running.

        Jobs that an earlier supervisor started are stopped only after `stop`; otherwise they go on
        to their run's end, as they would without any supervisor.
        """
        deadline = time.monotonic() + patience
        if not self.has_lease():
            # What lies at the path now, if anything, is another supervisor's.
            self._backend.close(patience)
            return
        if self._stopping:
            self._signal_adopted(signal.SIGTERM)
        for report in self._backend.close(patience):
            if report.kind == "lost" and self._stopping:
                self._record_loss(report.run, "stopped", fault=False, silent=False)
            else:
                self._handle_reports([report])
        for run in list(self._submitted):
            self._record_loss(run, "stopped", fault=False, silent=False)
        if self._stopping:
            self._end_adopted(deadline)
        self._write_status(ended=True)

    def _signal_adopted(self, number: signal.Signals) -> None:
        for active in self._adopted.values():
            owner = Process.from_event(active.start or {})
            if owner is not None:
                owner.signal(number)

    def _end_adopted(self, deadline: float) -> None:
        """Wait for the jobs that were asked to stop; those that do not are killed."""
        for number in (None, signal.SIGKILL):
            if number is not None:
                self._signal_adopted(number)
                deadline = time.monotonic() + 1.0
            while self._adopted and time.monotonic() < deadline:
                for run in [r for r in self._adopted if not is_locked(self._folder / r)]:
                    del self._adopted[run]
                    self._record_loss(run, "stopped", fault=False, silent=False)
                time.sleep(0.02)

    def has_work(self) -> bool:
        """Scan the whole folder: whether anything has come in since `run` ended."""
        self._last_scan = -SCAN_INTERVAL
        self.scan()
        return not self._is_idle()

    def _is_idle(self) -> bool:
        if self._submitted or self._adopted or self._unrecorded:
            return False
        return self._is_paused() or self._waiting.first() is None

    def _is_paused(self) -> bool:
        return (self._folder / layout.QUEUE_PAUSED).exists()

    # The queue

    def scan(self) -> None:
        """Bring the queue up to date with the folder, after a change or from time to time."""
        now, count = time.monotonic(), files.change_count(self._folder)
        if count == self._change_count and now - self._last_scan < SCAN_INTERVAL:
            return
        self._change_count, self._last_scan = count, now
        if (jobs := files.read_settings(self._folder).jobs) is not None:
            self._backend.resize(jobs)
        names = {name for name in list_runs(self._folder) if is_run_name(name)}
        for gone in set(self._waiting) - names:
            self._waiting.remove(gone)
        for name in names - self._submitted.keys() - self._adopted.keys() - self._unrecorded.keys():
            self._refresh_run(name)

    def _refresh_run(self, name: str) -> None:
        """Bring the queue up to date with one run. Never raises for the run."""
        try:
            self._read_run(name)
        except Exception as error:
            self._set_aside(name, error)

    def _set_aside(self, name: str, error: Exception) -> None:
        """Take a run out of the queue that cannot be read or written; the others go on.

        Readers show it as damaged, and `postertui doctor --repair` moves it aside.
        """
        self._waiting.remove(name)
        for runs in (self._submitted, self._adopted, self._unrecorded):
            runs.pop(name, None)
        with contextlib.suppress(OSError):
            self._closed[name] = run_identity(self._folder / name)
        text = f"{type(error).__name__}: {error}"
        if self._failures.get(name) == text:
            return
        self._failures[name] = text
        if isinstance(error, OSError | UserError | DamagedEventsError):
            sys.stderr.write(f"{name}: {to_single_line(str(error))}\n")
        else:
            sys.stderr.write(f"{name}: {log_traceback(error)}\n")

    def _read_run(self, name: str) -> None:
        path = self._folder / name
        identity = run_identity(path)
        if self._closed.get(name) == identity:
            return
        queued = self._waiting.get(name)
        if queued is not None and self._identities.get(name) == identity:
            priority, paused = read_priority(path), is_paused(path)
            if (priority, paused) != (queued.priority, queued.paused):
                self._waiting.put(replace(queued, priority=priority, paused=paused))
            return
        self._waiting.remove(name)
        self._identities[name] = identity
        if ends_closed(path / layout.EVENTS):
            self._closed[name] = identity
            return
        lifecycle = read_lifecycle(path)
        spec = read_spec(path)
        # A newer version's run may ask for what this one does not know.
        if lifecycle.is_closed or lifecycle.is_newer or spec.is_external:
            self._closed[name] = identity
            return
        self._closed.pop(name, None)
        if is_locked(path):
            self._adopted[name] = ActiveRun.observe(path, unit_of(spec))
        elif lifecycle.is_started:
            self._record_loss(name, "its job was lost", fault=True, silent=False)
        else:
            self._waiting.put(
                QueuedRun(
                    name,
                    spec.genre,
                    spec.created,
                    read_priority(path),
                    lifecycle.needs_exclusive_device,
                    is_paused(path),
                    unit_of(spec),
                )
            )

    # Jobs

    def _submit_waiting(self) -> None:
        if self._full or self._is_paused() or not self._backend.capacity():
            return
        room = self._backend.capacity() - len({active.unit for active in self._adopted.values()})
        while room > 0 and (entry := self._waiting.first(self._genre)) is not None:
            together = self._waiting.together(entry)
            exclusive = any(e.exclusive for e in together)
            has_device = self._backend.capacity(exclusive=exclusive)
            if not has_device or (exclusive and self._adopted):
                # A run that waits for a whole device is not overtaken, or it would wait for ever.
                return
            room -= 1
            self._genre = entry.genre
            for e in together:
                self._waiting.remove(e.run)
                self._submitted[e.run] = ActiveRun.observe(self._folder / e.run, e.unit)
            try:
                self._backend.submit([e.run for e in together], exclusive=exclusive)
            except (UserError, ValueError) as error:
                for e in together:
                    self._set_aside(e.run, error)

    def _of_whole_units(self, reports: list[RunReport]) -> list[RunReport]:
        """The reports of units whose runs have all left their worker; others count later.

        Otherwise a run could be submitted again while others of its unit are still on their way.
        """
        whole = []
        for report in reports:
            active = self._submitted.get(report.run)
            if active is None:
                continue
            if active.unit == report.run:
                whole.append(report)
                continue
            left = self._left.setdefault(active.unit, {})
            left[report.run] = report
            if all(r in left for r, other in self._submitted.items() if other.unit == active.unit):
                whole += self._left.pop(active.unit).values()
        return whole

    def _handle_reports(self, reports: list[RunReport]) -> None:
        for report in self._of_whole_units(reports):
            active = self._submitted.pop(report.run)
            match report.kind:
                case "lost":
                    silent = self._size(report.run) == active.size_at_submit
                    self._record_loss(report.run, report.reason, fault=True, silent=silent)
                case "released" if (
                    report.reason and self._size(report.run) == active.size_at_submit
                ):
                    # Its job could not even begin; submitting it again would go on for ever.
                    self._record_loss(report.run, report.reason, fault=True, silent=True)
                case "full":
                    self._full = True
                    self._unrecorded[report.run] = report
                case _:
                    self._refresh_run(report.run)

    def _record_loss(self, run: str, reason: str, *, fault: bool, silent: bool) -> None:
        path = self._folder / run
        if not self.has_lease():
            return
        try:
            if record_lost_run(path, reason, fault=fault, silent=silent) is None:
                self._adopted[run] = ActiveRun.observe(path, read_unit(path))
                return
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self._full = True
                self._unrecorded[run] = RunReport(run, "lost" if fault else "full", reason)
                return
            self._set_aside(run, error)
            return
        except Exception as error:
            self._set_aside(run, error)
            return
        self._unrecorded.pop(run, None)
        if not self._stopping:
            self._refresh_run(run)

    def _size(self, run: str) -> int:
        """How many bytes of events the run has."""
        return file_identity(self._folder / run / layout.EVENTS)[1]

    def _check_room(self) -> None:
        """While the disk is full the queue waits; then what could not be written is."""
        if not self._full or not files.has_room(self._folder):
            return
        self._full = False
        for run, report in list(self._unrecorded.items()):
            del self._unrecorded[run]
            reason = report.reason or "the disk was full"
            self._record_loss(run, reason, fault=report.kind == "lost", silent=False)

    # Silent and adopted runs

    def _release_adopted(self) -> None:
        free, busy_units = [], set()
        for run, active in list(self._adopted.items()):
            try:
                if is_locked(self._folder / run):
                    busy_units.add(active.unit)
                else:
                    free.append((run, active.unit))
            except OSError as error:
                self._set_aside(run, error)
        for run, unit in free:
            if unit not in busy_units:
                del self._adopted[run]
                self._refresh_run(run)

    def _end_stalled(self) -> None:
        now = time.monotonic()
        if now - self._last_tick > FROZEN_AFTER:
            # This process stood still, and perhaps its jobs did: their silence tells nothing.
            for active in (*self._submitted.values(), *self._adopted.values()):
                active.unchanged_since = now
        self._last_tick = now
        worked_on = {
            self._submitted[assignment.run].unit
            for assignment in self._backend.assignments()
            if assignment.run in self._submitted
        }
        observed = [*self._submitted.items(), *self._adopted.items()]
        #: When any run of a unit was last written to.
        written: dict[str, float] = {}
        for run, active in observed:
            if run in self._submitted and active.unit not in worked_on:
                # It waits for a worker, for as long as that takes.
                active.unchanged_since = now
            else:
                active.refresh(now)
            since = active.unchanged_since
            written[active.unit] = max(since, written.get(active.unit, since))
        for run, active in observed:
            timeout = self._limits.timeout(active.epoch_seconds)
            if now - written[active.unit] < timeout:
                continue
            active.unchanged_since = now
            reason = f"stalled: no event for {timeout:.0f} s"
            if run in self._submitted:
                self._backend.kill(run, reason)
            elif (owner := Process.from_event(active.start or {})) is not None:
                owner.signal(signal.SIGKILL)

    def _write_status(self, *, ended: bool = False) -> None:
        reason = None
        if self._is_paused():
            reason = "paused; `postertui resume` goes on"
        elif self._full:
            reason = f"no room left on the disk of {self._folder}; the queue waits"
        else:
            reason = self._backend.blocking_reason()
        assignments = self._backend.assignments()
        status = files.Status(
            running=not ended,
            process=self._process,
            jobs=tuple(files.JobStatus(a.pid, a.device, a.run, a.memory) for a in assignments),
            slots=self._backend.slot_count(),
            queued=len(self._waiting) + len(self._unrecorded),
            waiting=reason,
            warning=self._backend.warning(),
            job_settings=self._job_settings,
            memory=self._backend.memory(),
            failure=self._failure,
        )
        if status == self._written:
            return
        try:
            data = msgspec.json.format(msgspec.json.encode(status)) + b"\n"
            write_atomic(self._folder / layout.SUPERVISOR_STATUS, data)
            self._written = status
        except OSError:
            # It is only displayed, and on a full disk clients find out by themselves.
            pass
