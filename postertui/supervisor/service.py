"""The supervisor: submits the runs that wait, observes those being trained, ends the lost ones.

All of its state follows from the folder, so that it can be killed at any moment: the next one
reads the folder, adopts the runs that some job still works on, and submits the rest.

This is the loop. Where each run stands is in `supervised_runs`, what is decided in `decisions`,
`queue` and `stall`, and what clients are shown in `status_file`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from pathlib import Path

from postertui.runs.lock import is_locked
from postertui.supervisor import folder as files
from postertui.supervisor.backends.base import Backend, RunReport
from postertui.supervisor.decisions import UnitReports, outcome_of, released_runs
from postertui.supervisor.log import write_log
from postertui.supervisor.queue import QueuedRun
from postertui.supervisor.stall import ActiveRun, StallLimits, stalled_runs
from postertui.supervisor.status_file import StatusFile
from postertui.supervisor.supervised_runs import SupervisedRuns
from postertui.supervisor.units import read_unit
from postertui.system.crash_log import log_traceback
from postertui.system.errors import UserError
from postertui.system.locks import FileLock

#: Seconds between two checks of the change counter, of adopted runs, and for stalled jobs.
TICK = 0.25

#: Seconds between two ticks after which this process, or its machine, counts as having been frozen.
FROZEN_AFTER = 10.0

#: The supervisor ends after this many steps in a row that raised an unexpected error.
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
        self._lock = lock
        self._runs = SupervisedRuns(folder, self.has_lease)
        self._reports = UnitReports()
        self._status_file = StatusFile(folder, backend)
        #: The genre of the newest run that was submitted.
        self._genre: str | None = None
        self._last_scan = -SCAN_INTERVAL
        self._change_count = -1
        self._last_tick = time.monotonic()
        self._stopping = False
        self._failure: str | None = None
        for run in backend.runs_in_progress():
            self._runs.submitted[run] = ActiveRun.observe(folder / run, read_unit(folder / run))

    def stop(self) -> None:
        """End after the current tick: jobs are stopped, their runs can be resumed."""
        self._stopping = True
        self._runs.requeues = False

    def scan_soon(self) -> None:
        """Read the whole folder at the next tick, whether or not anything was announced."""
        self._last_scan = -SCAN_INTERVAL

    def describe(self) -> str:
        """The queue in a line, for the log."""
        return (
            f"{len(self._runs.submitted)} runs submitted, {len(self._runs.adopted)} adopted, "
            f"{len(self._runs.waiting)} waiting; "
            f"{self._backend.blocking_reason() or 'nothing blocks'}"
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
                    write_log(log_traceback(error))
                    time.sleep(TICK)
            if not self.has_lease():
                write_log(f"{self._folder}: moved or removed; the supervisor ends")
                self.stop()

    def fail(self, error: BaseException) -> None:
        """Note, for clients, that the supervisor ends because of `error`."""
        self._failure = log_traceback(error)

    def has_lease(self) -> bool:
        """Whether the folder is still the one whose lock this supervisor holds."""
        return self._lock is None or not self._lock.is_displaced()

    def step(self, timeout: float) -> bool:
        """Scan, submit, handle what happens within `timeout` seconds; False if there is no work."""
        self.scan()
        self._runs.record_delayed()
        self._submit_waiting()
        if self._is_idle():
            return False
        self._write_status()
        self._handle_reports(self._backend.poll(timeout))
        if self.has_lease():
            self._release_adopted()
            self._end_stalled()
        return True

    def has_work(self) -> bool:
        """Scan the whole folder: whether anything has come in since `run` ended."""
        self.scan_soon()
        self.scan()
        return not self._is_idle()

    def scan(self) -> None:
        """Bring the queue up to date with the folder, after a change or from time to time."""
        now, count = time.monotonic(), files.change_count(self._folder)
        if count == self._change_count and now - self._last_scan < SCAN_INTERVAL:
            return
        if count != self._change_count:
            self._runs.hindrance.hurry()
        self._change_count, self._last_scan = count, now
        if (jobs := files.read_settings(self._folder).jobs) is not None:
            self._backend.resize(jobs)
        self._runs.scan()

    def _is_idle(self) -> bool:
        if self._runs.is_any_active:
            return False
        return files.is_queue_paused(self._folder) or self._runs.waiting.first() is None

    def _submit_waiting(self) -> None:
        runs = self._runs
        if runs.is_full or files.is_queue_paused(self._folder):
            return
        room = self._backend.capacity() - len({active.unit for active in runs.adopted.values()})
        while room > 0 and (entry := runs.waiting.first(self._genre)) is not None:
            if not runs.hindrance.is_due():
                return
            together = runs.waiting.together(entry)
            exclusive = any(e.exclusive for e in together)
            has_device = self._backend.capacity(exclusive=exclusive)
            if not has_device or (exclusive and runs.adopted):
                # A run that waits for a whole device is not overtaken, or it would wait for ever.
                return
            room -= 1
            self._submit(together, exclusive=exclusive)

    def _submit(self, entries: list[QueuedRun], *, exclusive: bool) -> None:
        self._genre = entries[0].genre
        self._runs.mark_submitted(entries)
        try:
            self._backend.submit([entry.run for entry in entries], exclusive=exclusive)
        except (UserError, ValueError) as error:
            for entry in entries:
                self._runs.set_aside(entry.run, error)
        except OSError as error:
            # Too many processes or open files, too little memory: that may pass.
            self._runs.return_to_queue(entries)
            self._runs.hindrance.meet(f"no job can be started: {error.strerror}")
        else:
            self._runs.hindrance.clear()

    def _handle_reports(self, reports: Iterable[RunReport]) -> None:
        runs = self._runs
        of_whole_units = [r for each in reports for r in self._reports.add(each, runs.submitted)]
        for report in of_whole_units:
            active = runs.submitted.pop(report.run)
            match outcome_of(report, has_grown=runs.has_grown(active)):
                case "lost":
                    runs.record_loss(report.run, report.reason, fault=True)
                case "lost silently":
                    runs.record_loss(report.run, report.reason, fault=True, silent=True)
                case "full":
                    runs.record_later(report, report.reason)
                case "read":
                    if report.kind == "released" and not report.reason:
                        runs.hindrance.hurry()
                    runs.refresh(report.run)

    def _release_adopted(self) -> None:
        """Read the runs whose job, started by an earlier supervisor, is done with them."""
        locked = self._runs.locked()
        for run in released_runs(self._runs.adopted, locked):
            del self._runs.adopted[run]
            self._runs.refresh(run)

    def _end_stalled(self) -> None:
        """End the jobs of runs that have been silent for too long."""
        submitted, adopted = self._runs.submitted, self._runs.adopted
        active_runs = [*submitted.values(), *adopted.values()]
        now = time.monotonic()
        was_frozen = now - self._last_tick > FROZEN_AFTER
        self._last_tick = now
        units_with_worker = {
            submitted[assignment.run].unit
            for assignment in self._backend.assignments()
            if assignment.run in submitted
        }
        for active in active_runs:
            if was_frozen:
                # This process stood still, and perhaps its jobs did: silence means nothing.
                active.unchanged_since = now
            if active.run in submitted and active.unit not in units_with_worker:
                # It waits for a worker, for as long as that takes.
                active.unchanged_since = now
            else:
                active.refresh(now)
        for active, timeout in stalled_runs(active_runs, self._limits, now):
            active.unchanged_since = now
            if active.run in submitted:
                self._backend.kill(active.run, f"stalled: no event for {timeout:.0f} s")
            else:
                active.signal(signal.SIGKILL)

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
                self._runs.record_loss(report.run, "stopped", fault=False)
            else:
                self._handle_reports([report])
        for run in list(self._runs.submitted):
            self._runs.record_loss(run, "stopped", fault=False)
        if self._stopping:
            self._end_adopted(deadline)
        self._write_status(ended=True)

    def _signal_adopted(self, number: signal.Signals) -> None:
        for active in self._runs.adopted.values():
            active.signal(number)

    def _end_adopted(self, deadline: float) -> None:
        """Wait for the jobs that were asked to stop; those that do not are killed."""
        adopted = self._runs.adopted
        for number in (None, signal.SIGKILL):
            if number is not None:
                self._signal_adopted(number)
                deadline = time.monotonic() + 1.0
            while adopted and time.monotonic() < deadline:
                for run in [r for r in adopted if not is_locked(self._folder / r)]:
                    del adopted[run]
                    self._runs.record_loss(run, "stopped", fault=False)
                time.sleep(0.02)

    def _write_status(self, *, ended: bool = False) -> None:
        self._status_file.write(
            queued=len(self._runs.waiting) + len(self._runs.unrecorded),
            is_paused=files.is_queue_paused(self._folder),
            hindrance=self._runs.hindrance.reason,
            failure=self._failure,
            ended=ended,
        )
