"""Jobs on this machine: subprocesses that stay warm, one run at a time each."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from postertui.runs.spec import read_spec
from postertui.supervisor.backends.base import Assignment, RunReport
from postertui.supervisor.backends.devices import (
    FRAMEWORK_DEFAULTS,
    SINGLE_THREADED,
    Slot,
    find_devices,
    make_slots,
)
from postertui.supervisor.backends.memory import MemoryBudget
from postertui.supervisor.folder import DeviceRequest
from postertui.system.errors import UserError
from postertui.system.processes import memory_of

#: A job is replaced after this many runs, because the memory of a warm TensorFlow grows.
MAX_RUNS = 200

#: It is also replaced once its memory has grown by this much, in bytes, over runs of shapes that it
#: had trained before: what a new shape needs is no leak.
MAX_GROWTH = 1 << 30

#: Hyper-parameters that are arguments of compiled code, not parts of it.
_NO_SHAPE = {"name", "family", "strength", "learning_rate", "schedule", "epochs", "early_stopping"}

#: In a job's environment: the runs folder that it works for.
RUNS_FOLDER_VARIABLE = "POSTERTUI_RUNS_FOLDER"

#: Seconds between two measurements of the jobs' memory.
MEMORY_INTERVAL = 1.0


@dataclass
class _Job:
    process: subprocess.Popen[bytes]
    socket: socket.socket
    pidfd: int
    slot: Slot
    runs: tuple[str, ...] = ()
    exclusive: bool = False
    finished: int = 0
    shape: str = ""
    known_shapes: set[str] = field(default_factory=set)
    settled_memory: int = 0
    memory: int | None = None
    kill_reason: str = ""
    is_retiring: bool = False


class LocalJobs:
    """The local `Backend`: up to one job per slot, started when first needed.

    Jobs are leaders of their own sessions, without a terminal. A socket pair carries run names
    down and reports up; a job exits when its end of it is closed.

    Parameters
    ----------
    folder
        The runs folder.
    jobs
        Jobs per GPU (default 1), or on the CPU (default one per core).
    memory
        What jobs may use; one that uses more is killed.
    max_runs
        A job is replaced after this many runs.
    device
        What the user asked for.

    Raises
    ------
    UserError
        Where a GPU was asked for by name and cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        jobs: int | None = None,
        memory: MemoryBudget | None = None,
        max_runs: int = MAX_RUNS,
        device: DeviceRequest | None = None,
    ) -> None:
        self._folder = folder
        choice = find_devices(device, os.environ, folder)
        self._gpus = choice.devices
        self._warnings = choice.warnings
        self._device_required = choice.is_required
        self._slots = make_slots(jobs, self._gpus)
        self._jobs: list[_Job] = []
        self._memory = memory or MemoryBudget()
        self._max_runs = max_runs
        self._selector = selectors.DefaultSelector()
        self._memory_measured = 0.0

    def resize(self, jobs: int) -> None:
        self._slots = make_slots(jobs, self._gpus)
        for job in self._jobs:
            if job.slot not in self._slots and not job.runs:
                self._retire(job)

    def slot_count(self) -> int:
        return len(self._slots)

    def capacity(self, *, exclusive: bool = False) -> int:
        return sum(1 for _ in self._free_slots(exclusive))

    def submit(
        self, runs: Sequence[str], *, exclusive: bool = False, accepted_digests: Iterable[str] = ()
    ) -> None:
        """See `Backend`.

        `accepted_digests` are the SHA-256 of files that the job executes without this user's trust.
        """
        slot = next(self._free_slots(exclusive))
        job = next((j for j in self._jobs if j.slot == slot and not j.is_retiring), None)
        if job is None:
            job = self._start(slot)
        job.runs, job.exclusive = tuple(runs), exclusive
        job.shape = self._shape_of(runs[0])
        message = {
            "folder": os.fspath(self._folder),
            "runs": job.runs,
            "accepted_digests": list(accepted_digests),
        }
        # The pidfd reports a job that has already exited.
        with contextlib.suppress(OSError):
            job.socket.send(msgspec.json.encode(message))

    def _shape_of(self, run: str) -> str:
        """What the run has in common with those that need no more memory than it does."""
        try:
            spec = read_spec(self._folder / run)
        except (UserError, OSError):
            return ""
        variant = msgspec.structs.asdict(spec.variant)
        shape = {name: value for name, value in variant.items() if name not in _NO_SHAPE}
        cohorts = spec.train_cohorts, spec.test_cohorts
        return repr((shape, spec.data_fingerprint, *cohorts, len(spec.group)))

    def kill(self, run: str, reason: str) -> None:
        for job in self._jobs:
            if run in job.runs:
                job.kill_reason = reason
                job.process.kill()

    def runs_in_progress(self) -> list[str]:
        # The jobs of an earlier supervisor finish their run without one.
        return []

    def blocking_reason(self) -> str | None:
        return None

    def memory(self) -> str:
        return self._memory.describe()

    def warning(self) -> str | None:
        return "; ".join(self._warnings) or None

    def assignments(self) -> list[Assignment]:
        return [
            Assignment(run, f"job {j.process.pid}", j.slot.device, j.process.pid, j.memory)
            for j in self._jobs
            for run in (j.runs[:1] or (None,))
        ]

    def poll(self, timeout: float) -> list[RunReport]:
        reports: list[RunReport] = []
        for key, _ in self._selector.select(timeout):
            job: _Job = key.data
            if job not in self._jobs:
                continue
            reports.extend(self._receive(job))
            if job.process.poll() is not None:
                reports.extend(self._reap(job))
        self._enforce_memory_limit()
        return reports

    def close(self, patience: float) -> list[RunReport]:
        for job in self._jobs:
            job.process.terminate()
            # A job that waits for a run reads from its socket; one that trains gets the signal.
            with contextlib.suppress(OSError):
                job.socket.shutdown(socket.SHUT_WR)
        reports: list[RunReport] = []
        deadline = time.monotonic() + patience
        while self._jobs and time.monotonic() < deadline:
            reports.extend(self.poll(0.05))
        for job in list(self._jobs):
            job.process.kill()
            job.process.wait()
            reports.extend(self._receive(job))
            reports.extend(self._reap(job))
        return reports

    def _free_slots(self, exclusive: bool) -> Iterator[Slot]:
        """Slots without a run, warm ones first; an `exclusive` run needs a device without any."""
        busy = {j.slot for j in self._jobs if j.runs or j.is_retiring}
        exclusive_devices = {j.slot.device for j in self._jobs if j.runs and j.exclusive}
        occupied = {j.slot.device for j in self._jobs if j.runs}
        free = [
            s
            for s in self._slots
            if s not in busy
            and s.device not in exclusive_devices
            and not (exclusive and s.device in occupied)
        ]
        warm = {j.slot for j in self._jobs}
        return iter(sorted(free, key=lambda s: s not in warm))

    def _start(self, slot: Slot) -> _Job:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-P", "-m", "postertui.training.job"]
            command += ["--socket", str(theirs.fileno())]
            # Not a context manager: the process outlives this call; `_reap` waits for it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env=self._environment(slot),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.setblocking(False)
        job = _Job(process, ours, os.pidfd_open(process.pid), slot)
        self._jobs.append(job)
        self._selector.register(job.pidfd, selectors.EVENT_READ, job)
        self._selector.register(job.socket, selectors.EVENT_READ, job)
        return job

    def _environment(self, slot: Slot) -> dict[str, str]:
        environment = job_environment(slot) | {RUNS_FOLDER_VARIABLE: os.fspath(self._folder)}
        if self._device_required:
            environment["POSTERTUI_DEVICE_REQUIRED"] = "1"
        return environment

    def _receive(self, job: _Job) -> Iterator[RunReport]:
        while True:
            try:
                data = job.socket.recv(65536)
            except OSError:
                return
            if not data:
                # The job has exited or is about to: the pidfd reports when.
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(job.socket)
                return
            message: dict[str, Any] = msgspec.json.decode(data)
            runs, job.runs, job.exclusive = job.runs, (), False
            job.finished += 1
            job.memory = memory_of(job.process.pid)
            for run in runs:
                yield RunReport(run, message["kind"], message.get("reason", ""))
            if job.shape not in job.known_shapes:
                job.known_shapes.add(job.shape)
                job.settled_memory = max(job.settled_memory, job.memory or 0)
            if message.get("leaving") or self._needs_recycling(job):
                self._retire(job)

    def _needs_recycling(self, job: _Job) -> bool:
        growth = (job.memory or 0) - job.settled_memory
        return job.finished >= self._max_runs or growth > MAX_GROWTH or job.slot not in self._slots

    def _retire(self, job: _Job) -> None:
        job.is_retiring = True
        with contextlib.suppress(OSError):
            job.socket.shutdown(socket.SHUT_WR)

    def _reap(self, job: _Job) -> Iterator[RunReport]:
        code = job.process.wait()
        self._jobs.remove(job)
        for registered in (job.pidfd, job.socket):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(registered)
        os.close(job.pidfd)
        job.socket.close()
        for run in job.runs:
            yield RunReport(run, "lost", job.kill_reason or describe_exit(code))

    def _enforce_memory_limit(self) -> None:
        now = time.monotonic()
        if now - self._memory_measured < MEMORY_INTERVAL:
            return
        self._memory_measured = now
        limit = self._memory.limit(len(self._jobs))
        for job in self._jobs:
            job.memory = memory_of(job.process.pid)
            if limit and job.memory and job.memory > limit and not job.kill_reason:
                used, allowed = job.memory >> 20, limit >> 20
                job.kill_reason = f"used {used} MB of memory, more than the limit of {allowed} MB"
                job.process.kill()


def job_environment(slot: Slot) -> dict[str, str]:
    """The environment of a job: the caller's, pinned to one device and one thread."""
    environment = {**os.environ, **SINGLE_THREADED, **slot.environment}
    for name, value in FRAMEWORK_DEFAULTS.items():
        environment.setdefault(name, value)
    return environment


def describe_exit(code: int) -> str:
    if code >= 0:
        return f"its job ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"its job was killed by {name}{hint}"
