"""The supervisor: gives out the runs that wait, watches those that are trained, settles the lost.

It keeps nothing that the folder does not say, so that it can be killed at any moment: the next
one reads the folder, adopts the runs that some job still works on, and gives out the rest.
"""

from __future__ import annotations

import errno
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError
from postertui.runs.lock import is_locked
from postertui.runs.spec import is_run_name, list_runs, read_spec
from postertui.supervisor import folder as files
from postertui.supervisor.backends.base import Backend, RunReport
from postertui.supervisor.looking import identity_of, is_closed_at_end, is_paused, priority_of
from postertui.supervisor.queue import Entry, in_order
from postertui.supervisor.settle import NOTHING, read_lifecycle, record_lost_run
from postertui.supervisor.watching import Limits, Watched, standing_or, watch
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.processes import Process

#: Seconds between two looks at the bell, at runs that others train, and for stalled jobs.
TICK = 0.25

#: Seconds after which the whole folder is looked at although nobody rang.
FULL_LOOK = 30.0


class Supervisor:
    """One runs folder's queue. The caller holds the folder's supervisor lock."""

    def __init__(self, folder: Path, backend: Backend, limits: Limits | None = None) -> None:
        self._folder = folder
        self._backend = backend
        self._limits = limits or Limits.from_environment()
        self._waiting: dict[str, Entry] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._closed: dict[str, tuple[int, int]] = {}
        self._ours: dict[str, Watched] = {}
        self._adopted: dict[str, Watched] = {}
        self._unsettled: dict[str, RunReport] = {}
        self._genre: str | None = None
        self._looked = -FULL_LOOK
        self._bell = -1
        self._full = False
        self._stopping = False
        self._written: files.Status | None = None
        self._me = Process.current()
        for run in backend.runs_in_progress():
            self._ours[run] = watch(folder / run, read_lifecycle(folder / run))

    def stop(self) -> None:
        """End after the current tick: jobs are stopped, their runs can be resumed."""
        self._stopping = True

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    def run(self) -> None:
        """Work until there is nothing left to do, or `stop`."""
        while not self._stopping and self.step(TICK):
            pass

    def step(self, timeout: float) -> bool:
        """Look, give out, hear what happens within `timeout` seconds; False if there is no work."""
        self._look()
        self._check_room()
        self._hand_out()
        if self._is_idle():
            return False
        self._write_status()
        self._take(self._backend.poll(timeout))
        self._watch_adopted()
        self._end_stalled()
        return True

    def finish(self, patience: float = 7.0) -> None:
        """Stop the jobs and settle their runs as interrupted; nothing is left running.

        Jobs that an earlier supervisor started are stopped only after `stop`; otherwise they go on
        to their run's end, as they would without any supervisor.
        """
        deadline = time.monotonic() + patience
        if self._stopping:
            self._signal_adopted(signal.SIGTERM)
        for report in self._backend.close(patience):
            if report.kind == "lost" and self._stopping:
                self._settle(report.run, "stopped", fault=False, silent=False)
            else:
                self._take([report])
        for run in list(self._ours):
            self._settle(run, "stopped", fault=False, silent=False)
        if self._stopping:
            self._end_adopted(deadline)
        self._write_status(ended=True)

    def _signal_adopted(self, number: signal.Signals) -> None:
        for watched in self._adopted.values():
            owner = Process.from_event(watched.standing.start or {})
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
                    self._settle(run, "stopped", fault=False, silent=False)
                time.sleep(0.02)

    def has_work(self) -> bool:
        """Look again, whole: whether anything has come in since `run` ended."""
        self._looked = -FULL_LOOK
        self._look()
        return not self._is_idle()

    def _is_idle(self) -> bool:
        if self._ours or self._adopted or self._unsettled:
            return False
        return self._is_paused() or all(entry.paused for entry in self._waiting.values())

    def _is_paused(self) -> bool:
        return (self._folder / files.PAUSED).exists()

    # What the folder says

    def _look(self) -> None:
        """Bring the queue up to date with the folder when it was rung for, or from time to time."""
        now, rung = time.monotonic(), files.bell(self._folder)
        if rung == self._bell and now - self._looked < FULL_LOOK:
            return
        self._bell, self._looked = rung, now
        if (jobs := files.read_settings(self._folder).jobs) is not None:
            self._backend.resize(jobs)
        names = {name for name in list_runs(self._folder) if is_run_name(name)}
        for gone in self._waiting.keys() - names:
            del self._waiting[gone]
        for name in names - self._ours.keys() - self._adopted.keys() - self._unsettled.keys():
            self._look_at(name)

    def _look_at(self, name: str) -> None:
        path = self._folder / name
        identity = identity_of(path / layout.EVENTS)
        if self._closed.get(name) == identity:
            return
        known = self._waiting.pop(name, None)
        if known is not None and self._seen.get(name) == identity:
            self._waiting[name] = replace(known, priority=priority_of(path), paused=is_paused(path))
            return
        self._seen[name] = identity
        try:
            if is_closed_at_end(path / layout.EVENTS):
                self._closed[name] = identity
                return
            state = read_lifecycle(path)
            spec = read_spec(path)
        except (DamagedEventsError, UserError, OSError):
            # The run is shown as damaged; `postertui doctor --repair` moves it aside.
            self._closed[name] = identity
            return
        if state.is_closed:
            self._closed[name] = identity
            return
        self._closed.pop(name, None)
        if is_locked(path):
            self._adopted[name] = watch(path, state)
        elif state.is_started:
            self._settle(name, "its job was lost", fault=True, silent=False)
        else:
            self._waiting[name] = Entry(
                name, spec.genre, spec.created, priority_of(path), state.alone, is_paused(path)
            )

    # Giving out

    def _hand_out(self) -> None:
        if self._full or self._is_paused() or not self._backend.capacity():
            return
        room = self._backend.capacity() - len(self._adopted)
        for entry in in_order(self._waiting.values(), self._genre):
            if room <= 0:
                return
            if not self._backend.capacity(exclusive=entry.exclusive) or (
                entry.exclusive and self._adopted
            ):
                # Nobody overtakes a run that waits for a whole device, or it would for ever.
                return
            room -= 1
            self._genre = entry.genre
            del self._waiting[entry.run]
            path = self._folder / entry.run
            self._ours[entry.run] = watch(path, standing_or(path, NOTHING))
            self._backend.submit(entry.run, exclusive=entry.exclusive)

    def _take(self, reports: list[RunReport]) -> None:
        for report in reports:
            watched = self._ours.pop(report.run, None)
            if watched is None:
                continue
            match report.kind:
                case "lost":
                    silent = self._size(report.run) == watched.size_at_start
                    self._settle(report.run, report.reason, fault=True, silent=silent)
                case "released" if (
                    report.reason and self._size(report.run) == watched.size_at_start
                ):
                    # Its job could not even begin; to give it out again would go on for ever.
                    self._settle(report.run, report.reason, fault=True, silent=True)
                case "full":
                    self._full = True
                    self._unsettled[report.run] = report
                case _:
                    self._look_at(report.run)

    def _settle(self, run: str, reason: str, *, fault: bool, silent: bool) -> None:
        path = self._folder / run
        try:
            if record_lost_run(path, reason, fault=fault, silent=silent) is None:
                self._adopted[run] = watch(path, read_lifecycle(path))
                return
        except DamagedEventsError:
            pass
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self._full = True
                self._unsettled[run] = RunReport(run, "lost" if fault else "full", reason)
                return
            # Somebody removed the run, or the disk is broken: no reason to let go of the others.
            sys.stderr.write(f"{run}: {error}\n")
            self._closed[run] = identity_of(path / layout.EVENTS)
        self._unsettled.pop(run, None)
        if not self._stopping:
            self._look_at(run)

    def _size(self, run: str) -> int:
        """How many bytes of events the run has."""
        return identity_of(self._folder / run / layout.EVENTS)[1]

    def _check_room(self) -> None:
        """While the disk is full the queue waits; then what could not be written is."""
        if not self._full or not files.has_room(self._folder):
            return
        self._full = False
        for run, report in list(self._unsettled.items()):
            del self._unsettled[run]
            reason = report.reason or "the disk was full"
            self._settle(run, reason, fault=report.kind == "lost", silent=False)

    # Watching

    def _watch_adopted(self) -> None:
        for run in list(self._adopted):
            if not is_locked(self._folder / run):
                del self._adopted[run]
                self._look_at(run)

    def _end_stalled(self) -> None:
        now = time.monotonic()
        worked_on = {assignment.run for assignment in self._backend.assignments()}
        for run, watched in [*self._ours.items(), *self._adopted.items()]:
            if run in self._ours and run not in worked_on:
                # It waits for a worker, for as long as that takes.
                watched.since = now
                continue
            path = self._folder / run
            size = identity_of(path / layout.EVENTS)[1]
            if size != watched.size:
                watched.size, watched.since = size, now
                watched.standing = standing_or(path, watched.standing)
            patience = self._limits.patience(watched.standing.epoch_seconds)
            if now - watched.since < patience:
                continue
            watched.since = now
            reason = f"stalled: no event for {patience:.0f} s"
            if run in self._ours:
                self._backend.kill(run, reason)
            elif start := watched.standing.start:
                owner = Process.from_event(start)
                if owner is not None:
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
            process=self._me,
            jobs=tuple(files.JobStatus(a.pid, a.device, a.run, a.memory) for a in assignments),
            slots=self._backend.slot_count(),
            queued=len(self._waiting) + len(self._unsettled),
            waiting=reason,
        )
        if status == self._written:
            return
        try:
            data = msgspec.json.format(msgspec.json.encode(status)) + b"\n"
            write_atomic(self._folder / files.STATUS, data)
            self._written = status
        except OSError:
            # Only people read it, and on a full disk clients find out by themselves.
            pass
