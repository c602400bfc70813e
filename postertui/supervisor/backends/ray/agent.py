"""On a node: asks the driver for runs, has them trained, passes on what their files say.

    python -m postertui.supervisor.backends.ray.agent

It is started by a Ray task and configured by its first line of input.

The end of its input says that the task is gone, the end of its connection that the driver is: in
both cases it stops its job, which can be resumed, and goes. Nothing of the job's process group
outlives the job.
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
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.lock import is_locked
from postertui.runs.spec import RunSpec, run_folder
from postertui.supervisor.__main__ import memory_limit
from postertui.supervisor.backends.base import Report
from postertui.supervisor.backends.local import LocalJobs
from postertui.supervisor.backends.ray import data, seed
from postertui.supervisor.backends.ray.facts import node_facts
from postertui.supervisor.backends.ray.link import Link
from postertui.supervisor.backends.ray.protocol import (
    Agent,
    Beat,
    Cancel,
    Ended,
    Holding,
    Kill,
    Leave,
    Lines,
    Log,
    Ready,
    Refused,
    Rest,
    Returned,
    Saved,
    Show,
    Train,
    join,
    read_lines,
)
from postertui.system.errors import UserError
from postertui.system.processes import Process

#: Seconds between two looks at the events of the run that is trained.
TICK = 0.03

#: Seconds between two signs of life.
BEAT = 2.0

#: Seconds that a job has to stop before it is ended.
PATIENCE = 6.0

#: A checkpoint is sent along once a run takes so long, at most so often, in seconds; and when a
#: run that is not over stops.
SAVE_AFTER = float(os.environ.get("POSTERTUI_CLUSTER_SAVE_AFTER", "20"))

#: No checkpoint larger than this is sent, in bytes.
SAVE_MOST = 1 << 27

#: With less room than this on its disk, in bytes, a node takes no run.
LEAST_ROOM = 8 << 20


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of input. `key` is hexadecimal; `study` names the folder on the node."""

    host: str
    port: int
    key: str
    task: str
    node: str
    study: str
    home: str
    alone: bool = False


@dataclass
class _Current:
    run: str
    folder: Path
    events: seed.Tail
    log: seed.Tail
    began: float
    saved: float
    epoch: int = 0
    sent: int = 0


class NodeAgent:
    """One run at a time, in a job that stays warm."""

    def __init__(self, config: Config, link: Link) -> None:
        self._config = config
        self._link = link
        self._runs = Path(config.home) / "runs" / config.study
        self._jobs = LocalJobs(self._runs, 1, memory_limit())
        self._now: _Current | None = None
        self._saved: tuple[int, bytes] | None = None
        self._groups: set[int] = set()
        self._beaten = 0.0
        self.stopping = threading.Event()

    def serve(self) -> None:
        """Work until the driver says to leave or is gone, or until `stopping`."""
        facts = node_facts(self._config.node)
        held = seed.held(self._runs)
        self._link.send(Agent(self._config.task, facts, held, self._config.alone))
        self._link.send(Ready())
        try:
            while not self.stopping.is_set() and self._link.is_open:
                self._listen()
                for report in self._jobs.reports(TICK):
                    self._finish(report)
                self._forward()
                self._sweep_groups()
                self._beat()
        finally:
            self._stop()

    def _listen(self) -> None:
        while (frame := self._link.receive()) is not None:
            message, blob = frame
            match message:
                case Train():
                    self._train(message, blob)
                case Saved():
                    self._saved = (message.epoch, blob)
                case Cancel():
                    self._wish(message.run, "cancel")
                case Rest():
                    self._wish(message.run, "paused")
                case Kill():
                    self._jobs.cancel(message.run, message.reason)
                case Show():
                    self._show(message)
                case Refused():
                    sys.stderr.write(f"{message.reason}\n")
                    self.stopping.set()
                case Leave():
                    self.stopping.set()
                case _:
                    pass

    def _train(self, message: Train, known: bytes) -> None:
        run, saved, self._saved = message.run, self._saved, None
        try:
            folder = run_folder(self._runs, run)
            spec = msgspec.json.decode(message.spec, type=RunSpec)
            if shutil.disk_usage(Path(self._config.home)).free < LEAST_ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if message.has_data:
                spec = data.provide(spec, self._config, self._beat)
            if saved is not None and saved[0] != message.checkpoint:
                saved = None
            evict(folder)
            offset = seed.prepare(folder, spec, read_lines(known), saved)
        except (UserError, ValueError) as error:
            self._link.send(Ended(run, "lost", str(error)))
            self._link.send(Ready())
            return
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            if full:
                self._link.send(Returned(run, full=True))
            else:
                self._link.send(Ended(run, "lost", f"{error.filename}: {error.strerror}"))
            self._link.send(Ready())
            return
        log = folder / layout.LOG
        size = log.stat().st_size if log.exists() else 0
        now = time.monotonic()
        self._now = _Current(
            run, folder, seed.Tail(folder / layout.EVENTS, offset), seed.Tail(log, size), now, now
        )
        self._jobs.submit(run)

    def _wish(self, run: str, wish: str) -> None:
        """Tell the job, as on one machine, by a file in the run's folder."""
        if self._now is not None and self._now.run == run:
            with contextlib.suppress(OSError):
                (self._now.folder / wish).touch(mode=0o600)

    def _finish(self, report: Report) -> None:
        """A run has left its job: everything of it is passed on, then how it ended."""
        now, self._now = self._now, None
        if now is None or now.run != report.run:
            self._now = now
            return
        self._pass_on(now)
        if report.kind == "full":
            self._link.send(Returned(report.run, full=True))
        else:
            self._link.send(Ended(report.run, report.kind, report.reason))
        self._link.send(Ready())

    def _forward(self) -> None:
        if self._now is not None:
            self._pass_on(self._now)

    def _pass_on(self, current: _Current) -> None:
        if printed := current.log.read(most=1 << 16):
            self._link.send(Log(current.run), printed)
        if fresh := current.events.read(whole_lines=True):
            self._link.send(Lines(current.run), fresh)
            marks = [line.mark for line in read_lines(fresh)]
            epochs = [mark.epoch or 0 for mark in marks if mark.checkpoint]
            current.epoch = epochs[-1] if epochs else current.epoch
            if any(mark.event == "end" and not mark.is_end for mark in marks):
                self._save(current)
        now = time.monotonic()
        if now - current.began >= SAVE_AFTER and now - current.saved >= SAVE_AFTER:
            self._save(current)

    def _save(self, current: _Current) -> None:
        """Send the newest checkpoint, if it is not there yet: any node may go on from it."""
        if current.epoch <= current.sent:
            return
        for path in (
            current.folder / f"checkpoint.{current.epoch}",
            current.folder / layout.CHECKPOINT,
        ):
            with contextlib.suppress(OSError):
                if path.stat().st_size <= SAVE_MOST:
                    self._link.send(Saved(current.run, current.epoch), path.read_bytes())
                current.saved, current.sent = time.monotonic(), current.epoch
                return

    def _show(self, message: Show) -> None:
        for run in message.runs:
            with contextlib.suppress(UserError):
                lines = seed.local_lines(run_folder(self._runs, run))
                self._link.send(Holding(run), join(lines))

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten < BEAT:
            return
        self._beaten = now
        for job in self._jobs.assignments():
            share = gpu_share(job.pid) if job.pid and job.run else None
            self._link.send(Beat(job.device, job.pid, job.memory, share))
            return
        self._link.send(Beat(os.environ.get("POSTERTUI_DEVICE", "cpu")))

    def _sweep_groups(self) -> None:
        """End whatever a job that is gone has left in its process group."""
        alive = {job.pid for job in self._jobs.assignments() if job.pid}
        for group in self._groups - alive:
            end_group(group)
        self._groups = alive

    def _stop(self) -> None:
        self._sweep_groups()
        stopped = self._jobs.close(PATIENCE)
        if self._now is not None:
            self._pass_on(self._now)
            full = any(r.kind == "full" for r in stopped)
            self._link.send(Returned(self._now.run, full=full))
        self._sweep_groups()
        self._link.close()


def evict(folder: Path) -> None:
    """End a job that still trains the run for an agent that is gone."""
    deadline = time.monotonic() + PATIENCE
    while is_locked(folder) and time.monotonic() < deadline:
        starts = [x for x in seed.local_lines(folder) if x.mark.event == "start"]
        owner = Process.from_event(msgspec.json.decode(starts[-1].text)) if starts else None
        if owner is not None and owner.is_alive():
            end_group(owner.pid)
        time.sleep(0.05)


def end_group(group: int) -> None:
    """Kill what is left of a process group, if anything."""
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def gpu_share(pid: int) -> float | None:
    """The share of its device's memory that the process has; None without a GPU."""
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            for number in range(pynvml.nvmlDeviceGetCount()):
                device = pynvml.nvmlDeviceGetHandleByIndex(number)
                for process in pynvml.nvmlDeviceGetComputeRunningProcesses(device):
                    if process.pid == pid and process.usedGpuMemory:
                        total = pynvml.nvmlDeviceGetMemoryInfo(device).total
                        return float(process.usedGpuMemory / total)
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # No library, no driver, no permission: there is nothing to measure.
        return None
    return None


def main() -> int:
    os.umask(0o077)
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=Config)
    # Jobs do without our input, and the task's end must be the only thing that ends it.
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
    # Not a plain exit: the thread that listens to the task would hold it up.
    code = main()
    sys.stderr.flush()
    os._exit(code)
