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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from postertui.supervisor.backends.base import Assignment, Report
from postertui.supervisor.backends.devices import FRAMEWORK, THREADS, Slot, find_gpus, slots
from postertui.system.processes import memory_of

#: A job is replaced after so many runs, because a warm TensorFlow grows.
MAX_RUNS = 200

#: It is also replaced when it has grown by so many bytes over what it had after its first run.
GROWTH = 1 << 30

#: Tells whoever looks at a job's environment which runs folder it works for.
FOLDER = "POSTERTUI_RUNS_FOLDER"

#: How often a job's memory is looked at, in seconds.
MEMORY_INTERVAL = 1.0


@dataclass
class _Job:
    process: subprocess.Popen[bytes]
    socket: socket.socket
    pidfd: int
    slot: Slot
    run: str | None = None
    alone: bool = False
    runs: int = 0
    first_memory: int | None = None
    memory: int | None = None
    ended_for: str = ""
    retiring: bool = False


class LocalJobs:
    """The local `Backend`: up to one job per slot, started when first needed.

    `memory_limit` is in bytes per job. Jobs are leaders of their own sessions, with no terminal;
    a socket pair carries run names down and reports up, and its end tells a job to leave.
    """

    def __init__(
        self,
        folder: Path,
        jobs: int | None = None,
        memory_limit: int | None = None,
        max_runs: int = MAX_RUNS,
    ) -> None:
        self._folder = folder
        self._gpus = find_gpus()
        self._slots = slots(jobs, self._gpus)
        self._jobs: list[_Job] = []
        self._memory_limit = memory_limit
        self._max_runs = max_runs
        self._selector = selectors.DefaultSelector()
        self._memory_seen = 0.0

    def resize(self, jobs: int) -> None:
        self._slots = slots(jobs, self._gpus)
        for job in self._jobs:
            if job.slot not in self._slots and job.run is None:
                self._retire(job)

    def slots(self) -> int:
        return len(self._slots)

    def capacity(self, *, alone: bool = False) -> int:
        return sum(1 for _ in self._free_slots(alone))

    def submit(self, run: str, *, alone: bool = False) -> None:
        slot = next(self._free_slots(alone))
        job = next((j for j in self._jobs if j.slot == slot and not j.retiring), None)
        if job is None:
            job = self._start(slot)
        job.run, job.alone = run, alone
        message = {"run": os.fspath(self._folder / run)}
        # A job that is gone already is found out about by its pidfd.
        with contextlib.suppress(OSError):
            job.socket.send(msgspec.json.encode(message))

    def cancel(self, run: str, reason: str) -> None:
        for job in self._jobs:
            if job.run == run:
                job.ended_for = reason
                job.process.kill()

    def held(self) -> list[str]:
        # What another supervisor's jobs still train, they finish by themselves.
        return []

    def trouble(self) -> str | None:
        return None

    def assignments(self) -> list[Assignment]:
        return [
            Assignment(j.run, f"job {j.process.pid}", j.slot.device, j.process.pid, j.memory)
            for j in self._jobs
        ]

    def reports(self, timeout: float) -> list[Report]:
        found: list[Report] = []
        for key, _ in self._selector.select(timeout):
            job: _Job = key.data
            if job not in self._jobs:
                continue
            found.extend(self._receive(job))
            if job.process.poll() is not None:
                found.extend(self._bury(job))
        self._watch_memory()
        return found

    def close(self, patience: float) -> list[Report]:
        for job in self._jobs:
            job.process.terminate()
            # The end of the socket is what a job that waits for a run listens to.
            with contextlib.suppress(OSError):
                job.socket.shutdown(socket.SHUT_WR)
        found: list[Report] = []
        deadline = time.monotonic() + patience
        while self._jobs and time.monotonic() < deadline:
            found.extend(self.reports(0.05))
        for job in list(self._jobs):
            job.process.kill()
            job.process.wait()
            found.extend(self._receive(job))
            found.extend(self._bury(job))
        return found

    def _free_slots(self, alone: bool) -> Iterator[Slot]:
        """Slots without a run; whoever wants a device alone waits for all others on it."""
        busy = {j.slot for j in self._jobs if j.run is not None or j.retiring}
        closed = {j.slot.device for j in self._jobs if j.run is not None and j.alone}
        crowded = {j.slot.device for j in self._jobs if j.run is not None}
        free = [
            s
            for s in self._slots
            if s not in busy and s.device not in closed and not (alone and s.device in crowded)
        ]
        warm = {j.slot for j in self._jobs}
        return iter(sorted(free, key=lambda s: s not in warm))

    def _start(self, slot: Slot) -> _Job:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-P", "-m", "postertui.training.job"]
            command += ["--socket", str(theirs.fileno())]
            # Not a context manager: it outlives this call and is waited for when it is buried.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env=job_environment(slot) | {FOLDER: os.fspath(self._folder)},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.setblocking(False)
        job = _Job(process, ours, os.pidfd_open(process.pid), slot)
        self._jobs.append(job)
        self._selector.register(job.pidfd, selectors.EVENT_READ, job)
        self._selector.register(job.socket, selectors.EVENT_READ, job)
        return job

    def _receive(self, job: _Job) -> Iterator[Report]:
        while True:
            try:
                data = job.socket.recv(65536)
            except OSError:
                return
            if not data:
                # Gone, or about to be: only the pidfd is of interest from now on.
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(job.socket)
                return
            message: dict[str, Any] = msgspec.json.decode(data)
            run, job.run, job.alone = job.run, None, False
            job.runs += 1
            job.memory = memory_of(job.process.pid)
            if run is not None:
                yield Report(run, message["kind"], message.get("reason", ""))
            job.first_memory = job.first_memory or job.memory
            if message.get("leaving") or self._is_worn(job):
                self._retire(job)

    def _is_worn(self, job: _Job) -> bool:
        grown = (job.memory or 0) - (job.first_memory or 0)
        return job.runs >= self._max_runs or grown > GROWTH or job.slot not in self._slots

    def _retire(self, job: _Job) -> None:
        job.retiring = True
        with contextlib.suppress(OSError):
            job.socket.shutdown(socket.SHUT_WR)

    def _bury(self, job: _Job) -> Iterator[Report]:
        code = job.process.wait()
        self._jobs.remove(job)
        for registered in (job.pidfd, job.socket):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(registered)
        os.close(job.pidfd)
        job.socket.close()
        if job.run is not None:
            yield Report(job.run, "lost", job.ended_for or _describe_exit(code))

    def _watch_memory(self) -> None:
        now = time.monotonic()
        if now - self._memory_seen < MEMORY_INTERVAL:
            return
        self._memory_seen = now
        for job in self._jobs:
            job.memory = memory_of(job.process.pid)
            limit = self._memory_limit
            if limit and job.memory and job.memory > limit and not job.ended_for:
                used, most = job.memory >> 20, limit >> 20
                job.ended_for = f"used {used} MB of memory, more than the limit of {most} MB"
                job.process.kill()


def job_environment(slot: Slot) -> dict[str, str]:
    """The environment of a job: the caller's, pinned to one device and one thread."""
    environment = {**os.environ, **THREADS, **slot.environment}
    for name, value in FRAMEWORK.items():
        environment.setdefault(name, value)
    return environment


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"its job ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"its job was killed by {name}{hint}"
