"""Jobs on this machine: subprocesses that stay warm, one run at a time each."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from postertui.runs.spec import read_spec
from postertui.supervisor.backends.base import Assignment, RunReport
from postertui.supervisor.backends.devices import Slot, find_devices, make_slots
from postertui.supervisor.backends.job_process import JobProcess, job_environment, memory_shape
from postertui.supervisor.backends.memory import MemoryBudget
from postertui.supervisor.folder import DeviceRequest
from postertui.system.errors import UserError

#: A job is replaced after this many runs, because the memory of a warm TensorFlow grows.
MAX_RUNS = 200

#: In a job's environment: the runs folder that it works for.
RUNS_FOLDER_VARIABLE = "POSTERTUI_RUNS_FOLDER"

#: Seconds between two measurements of the jobs' memory.
MEMORY_INTERVAL = 1.0


class LocalJobs:
    """The local `Backend`: up to one job per slot, started when first needed.

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
        self._jobs: list[JobProcess] = []
        self._memory = memory or MemoryBudget()
        self._max_runs = max_runs
        self._selector = selectors.DefaultSelector()
        self._memory_measured = 0.0

    def resize(self, jobs: int) -> None:
        self._slots = make_slots(jobs, self._gpus)
        for job in self._jobs:
            if job.slot not in self._slots and not job.runs:
                job.retire()

    def slot_count(self) -> int:
        return len(self._slots)

    def capacity(self, *, exclusive: bool = False) -> int:
        return len(free_slots(self._slots, self._jobs, exclusive=exclusive))

    def submit(
        self, runs: Sequence[str], *, exclusive: bool = False, accepted_digests: Iterable[str] = ()
    ) -> None:
        """See `Backend`.

        `accepted_digests` are the SHA-256 of files that the job executes without this user's trust.
        """
        slot = next(iter(free_slots(self._slots, self._jobs, exclusive=exclusive)))
        job = next((j for j in self._jobs if j.slot == slot and not j.is_retiring), None)
        if job is None:
            job = self._start(slot)
        job.train(
            self._folder,
            tuple(runs),
            shape=self._shape_of(runs[0]),
            exclusive=exclusive,
            accepted_digests=accepted_digests,
        )

    def _shape_of(self, run: str) -> str:
        try:
            return memory_shape(read_spec(self._folder / run))
        except (UserError, OSError):
            return ""

    def kill(self, run: str, reason: str) -> None:
        for job in self._jobs:
            if run in job.runs:
                job.kill(reason)

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
            job: JobProcess = key.data
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
            job.hang_up()
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

    def _start(self, slot: Slot) -> JobProcess:
        job = JobProcess.start(slot, self._environment(slot))
        self._jobs.append(job)
        self._selector.register(job.pidfd, selectors.EVENT_READ, job)
        self._selector.register(job.socket, selectors.EVENT_READ, job)
        return job

    def _environment(self, slot: Slot) -> dict[str, str]:
        environment = job_environment(slot) | {RUNS_FOLDER_VARIABLE: os.fspath(self._folder)}
        if self._device_required:
            environment["POSTERTUI_DEVICE_REQUIRED"] = "1"
        return environment

    def _receive(self, job: JobProcess) -> Iterator[RunReport]:
        for message in job.receive():
            if message is None:
                # The job has exited or is about to: the pidfd reports when.
                self._unregister(job.socket)
                return
            yield from job.take_runs(message)
            if message.get("leaving") or self._needs_recycling(job):
                job.retire()

    def _needs_recycling(self, job: JobProcess) -> bool:
        is_old = job.finished >= self._max_runs
        return is_old or job.has_grown_too_much or job.slot not in self._slots

    def _reap(self, job: JobProcess) -> list[RunReport]:
        self._jobs.remove(job)
        self._unregister(job.pidfd)
        self._unregister(job.socket)
        return job.reap()

    def _unregister(self, file: int | socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(file)

    def _enforce_memory_limit(self) -> None:
        now = time.monotonic()
        if now - self._memory_measured < MEMORY_INTERVAL:
            return
        self._memory_measured = now
        limit = self._memory.limit(len(self._jobs))
        for job in self._jobs:
            job.measure_memory()
            if limit and job.memory and job.memory > limit and not job.kill_reason:
                used, allowed = job.memory >> 20, limit >> 20
                job.kill(f"used {used} MB of memory, more than the limit of {allowed} MB")


def free_slots(
    slots: Collection[Slot], jobs: Collection[JobProcess], *, exclusive: bool
) -> list[Slot]:
    """Slots without a run, warm ones first; an `exclusive` run needs a device without any."""
    busy = {j.slot for j in jobs if j.runs or j.is_retiring}
    occupied = {j.slot.device for j in jobs if j.runs}
    exclusive_devices = {j.slot.device for j in jobs if j.runs and j.exclusive}
    unusable_devices = occupied if exclusive else exclusive_devices
    free = [s for s in slots if s not in busy and s.device not in unusable_devices]
    warm = {j.slot for j in jobs}
    return sorted(free, key=lambda s: s not in warm)
