"""One job of this machine as seen from outside: a process, a socket, and what it has trained."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.base import RunReport
from postertui.supervisor.backends.devices import FRAMEWORK_DEFAULTS, SINGLE_THREADED, Slot
from postertui.system.processes import memory_of

#: Once its memory has grown by this much, in bytes, over runs of shapes that it had trained before,
#: a job is replaced: what a new shape needs is no leak.
MAX_GROWTH = 1 << 30

#: Hyper-parameters that are arguments of compiled code, not parts of it.
_NO_SHAPE = {"name", "family", "strength", "learning_rate", "schedule", "epochs", "early_stopping"}


@dataclass
class JobProcess:
    """A job, the leader of a session of its own, without a terminal.

    A socket pair carries run names down and reports up; a job exits when its end of it is closed.
    `pidfd` becomes readable when the process has exited.

    Attributes
    ----------
    runs
        What it trains now.
    exclusive
        Whether these need the device to themselves.
    shape
        What they have in common with those that need no more memory.
    finished
        How many times it has been given runs and is done with them.
    trained_shapes, settled_memory
        The shapes that it has trained, and its memory in bytes after the newest of them.
    memory
        Its resident memory in bytes; None until that was measured.
    kill_reason
        Why it was killed, if it was.
    is_retiring
        Whether it gets no further runs.
    """

    process: subprocess.Popen[bytes]
    socket: socket.socket
    pidfd: int
    slot: Slot
    runs: tuple[str, ...] = ()
    exclusive: bool = False
    shape: str = ""
    finished: int = 0
    trained_shapes: set[str] = field(default_factory=set)
    settled_memory: int = 0
    memory: int | None = None
    kill_reason: str = ""
    is_retiring: bool = False

    @classmethod
    def start(cls, slot: Slot, environment: Mapping[str, str]) -> JobProcess:
        """Start a job with this environment."""
        own_socket, job_socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with job_socket:
            command = [sys.executable, "-P", "-m", "postertui.training.job"]
            command += ["--socket", str(job_socket.fileno())]
            # Not a context manager: the process outlives this call; `reap` waits for it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env=environment,
                pass_fds=[job_socket.fileno()],
                start_new_session=True,
            )
        own_socket.setblocking(False)
        return cls(process, own_socket, os.pidfd_open(process.pid), slot)

    def train(
        self,
        folder: Path,
        runs: tuple[str, ...],
        *,
        shape: str,
        exclusive: bool,
        accepted_digests: Iterable[str],
    ) -> None:
        """Hand it runs of `folder`, which are trained together."""
        self.runs, self.shape, self.exclusive = runs, shape, exclusive
        message = {
            "folder": os.fspath(folder),
            "runs": runs,
            "accepted_digests": list(accepted_digests),
        }
        # The pidfd reports a job that has already exited.
        with contextlib.suppress(OSError):
            self.socket.send(msgspec.json.encode(message))

    def receive(self) -> Iterator[dict[str, Any] | None]:
        """The messages that have arrived; None once there can be no more."""
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                yield None
                return
            yield msgspec.json.decode(data)

    def take_runs(self, message: Mapping[str, Any]) -> list[RunReport]:
        """Note that the job is done with its runs, as its message says; a report for each."""
        runs, self.runs, self.exclusive = self.runs, (), False
        self.finished += 1
        self.measure_memory()
        if self.shape not in self.trained_shapes:
            self.trained_shapes.add(self.shape)
            self.settled_memory = max(self.settled_memory, self.memory or 0)
        return [RunReport(run, message["kind"], message.get("reason", "")) for run in runs]

    def measure_memory(self) -> None:
        """Set `memory`."""
        self.memory = memory_of(self.process.pid)

    @property
    def has_grown_too_much(self) -> bool:
        """Whether it needs much more memory than the shapes that it trained explain."""
        return (self.memory or 0) - self.settled_memory > MAX_GROWTH

    def hang_up(self) -> None:
        """Send nothing more; a job that waits for a run exits."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def retire(self) -> None:
        """Have it exit after its run."""
        self.is_retiring = True
        self.hang_up()

    def kill(self, reason: str) -> None:
        """End it at once; its runs are reported lost for this reason."""
        self.kill_reason = reason
        self.process.kill()

    def reap(self) -> list[RunReport]:
        """Wait until it has exited and close what was open for it; its runs are lost."""
        code = self.process.wait()
        os.close(self.pidfd)
        self.socket.close()
        reason = self.kill_reason or describe_exit(code)
        return [RunReport(run, "lost", reason) for run in self.runs]


def job_environment(slot: Slot) -> dict[str, str]:
    """The environment of a job: the caller's, pinned to one device and one thread."""
    environment = {**os.environ, **SINGLE_THREADED, **slot.environment}
    for name, value in FRAMEWORK_DEFAULTS.items():
        environment.setdefault(name, value)
    return environment


def memory_shape(spec: RunSpec) -> str:
    """What the run has in common with those that need no more memory than it does."""
    variant = msgspec.structs.asdict(spec.variant)
    shape = {name: value for name, value in variant.items() if name not in _NO_SHAPE}
    cohorts = spec.train_cohorts, spec.test_cohorts
    return repr((shape, spec.data_fingerprint, *cohorts, len(spec.group)))


def describe_exit(code: int) -> str:
    """How a job ended whose exit code was this, negative for a signal."""
    if code >= 0:
        return f"its job ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"its job was killed by {name}{hint}"
