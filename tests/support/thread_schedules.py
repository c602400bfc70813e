"""Jobs as threads that go on only when told to, and can be killed at any point.

The real `Attempt` trains with a tiny trainer. Between two commands every thread stands still, so
that a test decides what happens when, and the same decisions give the same events.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from postertui.runs.events import EventWriter, encode_event
from postertui.runs.run_names import run_folder
from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.base import Assignment, RunReport
from postertui.system.errors import UserError
from postertui.training.job import checkpoints
from postertui.training.job.attempt import Attempt
from postertui.training.job.member import Member
from postertui.training.job.result import Result
from postertui.training.job.stop_listener import StopListener

#: Where a job can be killed: before an epoch, while its checkpoint is written, before its line is
#: written, in the middle of that, and before the draft is taken as the checkpoint.
Death = Literal["before", "in save", "untold", "torn", "untaken"]


class KilledError(BaseException):
    """kill -9: nothing that would still be written is written."""


_here = threading.local()
_append, _adopt = EventWriter.append, checkpoints.adopt


def append_or_die(writer: EventWriter, event: str, **fields: Any) -> None:
    """`EventWriter.append`, for jobs that can be killed in it."""
    job: Job | None = getattr(_here, "job", None)
    if job is not None and event == "epoch":
        if job.death == "torn":
            os.write(writer._fd, encode_event(99, 99, event, fields, 0.0)[:-9])
        if job.death in ("torn", "untold"):
            raise KilledError
    _append(writer, event, **fields)


def adopt_or_die(run_folder: Path, drafted: Path) -> None:
    """`checkpoints.adopt`, for jobs that can be killed before it."""
    if _here.job.death == "untaken":
        raise KilledError
    _adopt(run_folder, drafted)


class StandInListener(StopListener):
    """Sees requests when it is asked to, without a thread or signals."""

    def __init__(self) -> None:
        self.writing = threading.Lock()
        self.cancelled = threading.Event()
        self.paused = threading.Event()
        self._attempt = None
        self._looking = threading.Lock()
        self._cancelled_at = None

    def look(self) -> None:
        with self._looking:
            if self._attempt is not None:
                self._look_at(self._attempt)


def _write_nothing(_: Path) -> dict[str, Any]:
    return {}


class TinyEpoch:
    group: Mapping[str, TinyEpoch] = MappingProxyType({})

    def __init__(self, number: int, value: float, job: Job, *, is_last: bool) -> None:
        self.write_results = _write_nothing if is_last else None
        self.epoch, self._value, self._job = number, value, job
        self.metrics: dict[str, Any] = {"train_loss": value, "test_loss": 1 / value}

    def save(self, path: Path) -> None:
        whole = json.dumps({"epoch": self.epoch, "value": self._value})
        if self._job.death == "in save":
            path.write_text(whole[:5])
            raise KilledError
        path.write_text(whole)


class KillableAttempt(Attempt):
    """An attempt whose process can vanish."""

    def __init__(self, folder: Path, job: Job) -> None:
        super().__init__([folder], lambda: job, job.watch)
        self._job = job

    def _honour_late_cancel(self, members: Sequence[Member]) -> None:
        if self._job.death is None:
            super()._honour_late_cancel(members)


class Job:
    """One attempt at one run; also its own trainer. Standing still whenever control is back."""

    def __init__(self, folder: Path, run: str) -> None:
        self.run = run
        self.death: Death | None = None
        self.watch = StandInListener()
        self.result: Result | None = None
        self.is_over = False
        self._commands: queue.Queue[Death | None] = queue.Queue()
        self._stands: queue.Queue[None] = queue.Queue()
        self._attempt = KillableAttempt(run_folder(folder, run), self)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self._stands.get()

    def step(self, death: Death | None = None) -> None:
        """Train one epoch, or begin, or die."""
        if not self.is_over:
            self._commands.put(death)
            self._stands.get()

    def epochs(
        self, spec: RunSpec, resume: Path | None, notify: Callable[[int, int, int], None]
    ) -> Iterator[TinyEpoch]:
        done, value = 0, 1.0 + spec.seed
        if resume is not None:
            try:
                stored = json.loads(resume.read_text())
            except ValueError:
                raise UserError(f"{resume}: not a whole checkpoint") from None
            done, value = stored["epoch"], stored["value"]
        for number in range(done + 1, spec.variant.epochs + 1):
            self._stand_still()
            value = (value * 1.1 + number) % 7 + 0.1
            yield TinyEpoch(number, value, self, is_last=number == spec.variant.epochs)

    def _work(self) -> None:
        _here.job = self
        try:
            self._stand_still()
            self.result = self._attempt.run()
        except KilledError:
            pass
        finally:
            self.is_over = True
            self._stands.put(None)

    def _stand_still(self) -> None:
        self._stands.put(None)
        self.death = self._commands.get()
        self.watch.look()
        if self.death == "before":
            raise KilledError


class ThreadJobs:
    """A `Backend` with a few workers. `jobs` outlive it, as real ones do."""

    def __init__(self, folder: Path, jobs: list[Job], capacity: int = 2) -> None:
        self._folder, self._jobs, self._capacity = folder, jobs, capacity
        self._ours: list[Job] = []

    def slot_count(self) -> int:
        return self._capacity

    def capacity(self, *, exclusive: bool = False) -> int:
        free = self._capacity - len(self._ours)
        return (1 if not self._ours else 0) if exclusive else free

    def submit(self, runs: Sequence[str], *, exclusive: bool = False) -> None:
        [run] = runs
        job = Job(self._folder, run)
        self._ours.append(job)
        self._jobs.append(job)

    def kill(self, run: str, reason: str) -> None:
        for job in self._ours:
            if job.run == run:
                job.step("before")

    def assignments(self) -> list[Assignment]:
        return [Assignment(job.run, "thread", "cpu") for job in self._ours]

    def runs_in_progress(self) -> list[str]:
        return []

    def blocking_reason(self) -> str | None:
        return None

    def warning(self) -> str | None:
        return None

    def memory(self) -> str:
        return ""

    def poll(self, timeout: float) -> list[RunReport]:
        over = [job for job in self._ours if job.is_over]
        self._ours = [job for job in self._ours if not job.is_over]
        self._jobs[:] = [job for job in self._jobs if job not in over]
        return [self._report(job) for job in over]

    def resize(self, jobs: int) -> None:
        self._capacity = jobs

    def close(self, patience: float) -> list[RunReport]:
        for job in self._ours:
            job.step("before")
        return self.poll(0)

    def _report(self, job: Job) -> RunReport:
        if job.result is None:
            return RunReport(job.run, "lost", "its job was killed")
        kind: Literal["held", "released"] = "held" if job.result.outcome == "held" else "released"
        return RunReport(job.run, kind, job.result.reason)
