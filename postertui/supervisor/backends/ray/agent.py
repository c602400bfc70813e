"""An agent on a node: has the driver's runs trained and sends their events, log and checkpoints.

    python -m postertui.supervisor.backends.ray.agent

A Ray task starts it and writes its configuration as the first line of its input.

When its input ends, the task is gone; when its connection ends, the driver is. In both cases it
stops its job, which can be resumed, and exits. No process of the job's group outlives the job.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.code import digest_of, write_code
from postertui.runs.run_names import run_folder
from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.base import RunReport
from postertui.supervisor.backends.local import LocalJobs
from postertui.supervisor.backends.memory import memory_budget
from postertui.supervisor.backends.ray import bundles, node_folder
from postertui.supervisor.backends.ray.agent_messages import (
    AgentHello,
    AgentReady,
    Heartbeat,
    HeldLines,
    JoinRun,
    RequestLines,
    RunReturned,
    StopAgent,
    TrainRun,
)
from postertui.supervisor.backends.ray.event_lines import join_lines, parse_lines
from postertui.supervisor.backends.ray.link import Link
from postertui.supervisor.backends.ray.message_base import Rejected
from postertui.supervisor.backends.ray.node_facts import collect_node_facts
from postertui.supervisor.backends.ray.node_processes import gpu_share, kill_group, kill_owner
from postertui.supervisor.backends.ray.run_messages import (
    CancelRun,
    CheckpointData,
    KillRun,
    PauseRun,
    RunEnded,
)
from postertui.supervisor.backends.ray.run_upload import RunUpload, send_results
from postertui.system.environment import read_number
from postertui.system.errors import UserError
from postertui.system.os_errors import is_disk_full
from postertui.system.text import describe_error

#: Seconds between two reads of the events of the run that is trained.
TICK = 0.03

#: Seconds between two heartbeats.
HEARTBEAT_INTERVAL = 2.0

#: Seconds for a job to stop before it is killed.
STOP_PATIENCE = 6.0

#: Seconds of training after which a checkpoint is sent, and between two of them. One is also sent
#: when a run stops that is not finished.
CHECKPOINT_INTERVAL = 20.0

#: With less room than this on its disk, in bytes, a node accepts no run.
MIN_ROOM = 8 << 20


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of input.

    Parameters
    ----------
    host, port, key
        The driver, and the hexadecimal key of `link`.
    task, node
        The Ray task and Ray's id of the node.
    study, home
        The folder's name for the study's runs in the node's cache `home`.
    exclusive
        Whether the task has a whole device.
    """

    host: str
    port: int
    key: str
    task: str
    node: str
    study: str
    home: str
    exclusive: bool = False


class NodeAgent:
    """Trains one run, or the runs of one group, at a time, in a job that stays warm."""

    def __init__(self, config: AgentConfig, link: Link) -> None:
        self._config = config
        self._link = link
        self._checkpoint_interval = read_number("POSTERTUI_CLUSTER_SAVE_AFTER", CHECKPOINT_INTERVAL)
        self._runs = Path(config.home) / "runs" / config.study
        self._jobs = LocalJobs(self._runs, 1, memory_budget())
        #: The run that is trained; several where they are trained together.
        self._current: list[RunUpload] = []
        self._joining: list[tuple[JoinRun, bytes]] = []
        self._received_checkpoint: tuple[int, bytes] | None = None
        self._groups: set[int] = set()
        self._last_heartbeat = 0.0
        self.stopping = threading.Event()

    def serve(self) -> None:
        """Work until the driver says to stop or is gone, or until `stopping`."""
        facts = collect_node_facts(self._config.node)
        held = node_folder.count_held_lines(self._runs)
        self._link.send(AgentHello(self._config.task, facts, held, self._config.exclusive))
        self._link.send(AgentReady())
        try:
            while not self.stopping.is_set() and self._link.is_open:
                self._handle_messages()
                for report in self._jobs.poll(TICK):
                    self._finish(report)
                for current in self._current:
                    current.send_progress()
                self._kill_leftover_groups()
                self._send_heartbeat()
        finally:
            self._stop()

    def _handle_messages(self) -> None:
        while (frame := self._link.receive()) is not None:
            message, blob = frame
            match message:
                case JoinRun():
                    self._joining.append((message, blob))
                case TrainRun():
                    self._train(message, blob)
                case CheckpointData():
                    self._received_checkpoint = (message.epoch, blob)
                case CancelRun():
                    self._write_request(message.run, layout.CANCEL)
                case PauseRun():
                    self._write_request(message.run, layout.PAUSED)
                case KillRun():
                    self._jobs.kill(message.run, message.reason)
                case RequestLines():
                    self._send_held_lines(message)
                case Rejected():
                    sys.stderr.write(f"{message.reason}\n")
                    self.stopping.set()
                case StopAgent():
                    self.stopping.set()
                case _:
                    pass

    def _train(self, message: TrainRun, head_lines: bytes) -> None:
        checkpoint, self._received_checkpoint = self._received_checkpoint, None
        if checkpoint is not None and checkpoint[0] != message.checkpoint:
            checkpoint = None
        joining, self._joining = self._joining, []
        runs = [message.run, *(other.run for other, _ in joining)]
        try:
            self._current = [
                self._prepare(message, head_lines, checkpoint),
                *(self._prepare(other, lines) for other, lines in joining),
            ]
        except (UserError, ValueError, OSError) as error:
            for run in runs:
                self._link.send(_refusal(run, error))
            self._link.send(AgentReady())
        else:
            self._jobs.submit(runs, accepted_digests=map(digest_of, message.code.values()))

    def _prepare(
        self,
        message: TrainRun | JoinRun,
        head_lines: bytes,
        checkpoint: tuple[int, bytes] | None = None,
    ) -> RunUpload:
        """Make the run's folder and data ready. Raises `UserError`, `ValueError`, `OSError`."""
        folder = run_folder(self._runs, message.run)
        spec = msgspec.json.decode(message.spec, type=RunSpec)
        if shutil.disk_usage(Path(self._config.home)).free < MIN_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if message.has_data:
            spec = bundles.provide_data(spec, self._config, self._send_heartbeat)
        kill_owner(folder, STOP_PATIENCE)
        offset = node_folder.prepare_run_folder(folder, spec, parse_lines(head_lines), checkpoint)
        if isinstance(message, TrainRun):
            write_code(folder, spec.variant, message.code)
        return RunUpload(self._link, folder, offset, self._checkpoint_interval)

    def _write_request(self, run: str, name: str) -> None:
        """Ask the job by a file in the run's folder, as on one machine."""
        for current in self._current:
            if current.run == run:
                with contextlib.suppress(OSError):
                    (current.folder / name).touch(mode=0o600)

    def _finish(self, report: RunReport) -> None:
        """Send the rest of a run that has left its job, then how it ended."""
        current = next((c for c in self._current if c.run == report.run), None)
        if current is None:
            return
        self._current.remove(current)
        current.send_progress()
        if report.kind == "full":
            self._link.send(RunReturned(report.run, full=True))
        else:
            self._link.send(RunEnded(report.run, report.kind, report.reason))
        if not self._current:
            self._link.send(AgentReady())

    def _send_held_lines(self, message: RequestLines) -> None:
        for run in message.runs:
            with contextlib.suppress(UserError):
                folder = run_folder(self._runs, run)
                lines = node_folder.local_lines(folder)
                if lines and lines[-1].header.is_end:
                    send_results(self._link, run, folder)
                self._link.send(HeldLines(run), join_lines(lines))

    def _send_heartbeat(self) -> None:
        now = time.monotonic()
        if now - self._last_heartbeat < HEARTBEAT_INTERVAL:
            return
        self._last_heartbeat = now
        for job in self._jobs.assignments():
            share = gpu_share(job.pid) if job.pid and job.run else None
            self._link.send(Heartbeat(job.device, job.pid, job.memory, share))
            return
        self._link.send(Heartbeat(os.environ.get("POSTERTUI_DEVICE", "cpu")))

    def _kill_leftover_groups(self) -> None:
        """Kill what jobs that have exited left in their process groups."""
        alive = {job.pid for job in self._jobs.assignments() if job.pid}
        for group in self._groups - alive:
            kill_group(group)
        self._groups = alive

    def _stop(self) -> None:
        self._kill_leftover_groups()
        reports = self._jobs.close(STOP_PATIENCE)
        full = any(report.kind == "full" for report in reports)
        for current in self._current:
            current.send_progress()
            self._link.send(RunReturned(current.run, full=full))
        self._kill_leftover_groups()
        self._link.close()


def _refusal(run: str, error: Exception) -> RunEnded | RunReturned:
    """What is sent of a run that cannot be made ready."""
    if not isinstance(error, OSError):
        return RunEnded(run, "lost", str(error))
    if is_disk_full(error):
        return RunReturned(run, full=True)
    reason = error.strerror or describe_error(error)
    return RunEnded(run, "lost", f"{error.filename}: {reason}" if error.filename else reason)


def main() -> int:
    """Train for the driver whose address comes on standard input; the exit code."""
    os.umask(0o077)
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=AgentConfig)
    try:
        link = Link.connect(config.host, config.port, bytes.fromhex(config.key))
    except OSError as error:
        sys.stderr.write(f"no driver at {config.host}:{config.port}: {error}\n")
        return 1
    agent = NodeAgent(config, link)

    def watch_task() -> None:
        with contextlib.suppress(OSError, ValueError):
            while sys.stdin.buffer.read(4096):
                pass
        agent.stopping.set()

    threading.Thread(target=watch_task, name="task", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stopping.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    agent.serve()
    return 0


if __name__ == "__main__":
    # Not a plain exit, for which the thread that reads the input would have to end first.
    code = main()
    sys.stderr.flush()
    os._exit(code)
