"""The supervisor's other way to run jobs: `RayJobs`, which has the local one's interface.

Everything that waits is handed to the driver at once, so that the cluster works on when this
machine is away. Nothing here waits for the network: each study has a thread that finds or starts
its driver and connects, and comes back when the connection ends.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError
from postertui.runs.spec import RunSpec, read_spec
from postertui.supervisor import folder as files
from postertui.supervisor.backends.base import Assignment, Report
from postertui.supervisor.backends.ray import data
from postertui.supervisor.backends.ray.address import Address
from postertui.supervisor.backends.ray.collector import Collector, runs_out_there
from postertui.supervisor.backends.ray.connection import Connection, owner_of
from postertui.supervisor.backends.ray.link import Frame, Link
from postertui.supervisor.backends.ray.protocol import (
    AnyMessage,
    Cancel,
    Close,
    Ended,
    Forget,
    Kill,
    Lines,
    Log,
    Missing,
    Pause,
    Prioritise,
    Rest,
    Share,
    Submit,
    Want,
    Welcome,
    Work,
)
from postertui.system.errors import UserError

#: At most so many runs are out there at a time.
MOST = 20_000

#: Seconds after which wishes are looked for although nobody rang.
LOOK = 5.0

#: Seconds after which a cancelled run is ended although the cluster has not answered.
CANCEL_PATIENCE = 12.0


class RayJobs:
    """Runs jobs on a Ray cluster; see `postertui.supervisor.backends.base.Backend`."""

    def __init__(
        self, folder: Path, address: Address, jobs: int | None = None, gpu: float | None = None
    ) -> None:
        self._folder = folder
        self._address = address
        self._owner = owner_of(folder)
        self._jobs = jobs
        self._gpu = gpu
        self._collector = Collector(folder)
        self._studies: dict[str, Connection] = {}
        self._inbox: queue.SimpleQueue[tuple[str, Frame | None]] = queue.SimpleQueue()
        self._study_of: dict[str, str] = {}
        self._alone: set[str] = set()
        self._ended: dict[str, Ended] = {}
        self._refused: list[Report] = []
        self._cancelled: dict[str, float] = {}
        self._rested: set[str] = set()
        self._priority: dict[str, int] = {}
        self._bell = -1
        self._looked = 0.0
        self._paused = False
        self._no_room = False
        for run, study in runs_out_there(folder).items():
            with contextlib.suppress(DamagedEventsError, OSError, ValueError):
                if self._collector.claim(run, study):
                    if self._collector.is_closed(run):
                        self._collector.release(run)
                    else:
                        self._add(run, study)

    # The interface

    def held(self) -> list[str]:
        return list(self._collector)

    def slots(self) -> int:
        return 0

    def capacity(self, *, alone: bool = False) -> int:
        return MOST - len(self._collector)

    def submit(self, run: str, *, alone: bool = False) -> None:
        try:
            study = read_spec(self._folder / run).study
            if not self._collector.claim(run, study):
                self._refused.append(Report(run, "held"))
                return
        except (DamagedEventsError, UserError, OSError, ValueError) as error:
            self._refused.append(Report(run, "released", str(error)))
            return
        if alone:
            self._alone.add(run)
        self._add(run, study)
        self._say(run)

    def cancel(self, run: str, reason: str) -> None:
        self._send(run, Kill(run, reason))

    def assignments(self) -> list[Assignment]:
        return [
            Assignment(w.run, w.host, f"{w.host} {w.device}", w.pid, w.memory)
            for study in self._studies.values()
            for w in study.work.agents
        ]

    def reports(self, timeout: float) -> list[Report]:
        deadline = time.monotonic() + timeout
        self._look_for_wishes()
        found, self._refused = self._refused, []
        found += self._settle()
        while not found and (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._receive(*self._inbox.get(timeout=left))
                self._drain()
                found += self._settle()
        return found

    def resize(self, jobs: int) -> None:
        if jobs != self._jobs:
            self._jobs = jobs
            for study in self._studies.values():
                study.send(Share(self._gpu, jobs))

    def trouble(self) -> str | None:
        if self._no_room:
            return f"no room left on the disk of {self._folder}; the cluster keeps what it has"
        for study in self._studies.values():
            if found := study.trouble or study.work.trouble:
                return found
        return None

    def close(self, patience: float) -> list[Report]:
        """Stop what is out there. What does not answer stays out there, and stays claimed.

        The claims end with this process; the next supervisor takes them up again. Where nothing is
        out there, the driver stays a while for whoever trains next.
        """
        found: list[Report] = []
        deadline = time.monotonic() + patience
        if len(self._collector):
            for study in self._studies.values():
                study.send(Close())
        while len(self._collector) and (left := deadline - time.monotonic()) > 0:
            found += self.reports(min(left, 0.1))
            if not any(study.link for study in self._studies.values()):
                break
        for study in self._studies.values():
            study.stop()
        return found

    # Saying

    def _add(self, run: str, study: str) -> None:
        self._study_of[run] = study
        if study not in self._studies:
            inbox = self._inbox
            self._studies[study] = Connection(
                self._address, self._owner, study, lambda frame: inbox.put((study, frame))
            )

    def _send(self, run: str, message: AnyMessage, blob: bytes = b"") -> None:
        if study := self._study_of.get(run):
            self._studies[study].send(message, blob)

    def _say(self, run: str) -> None:
        """Tell the driver of a run; said again with each connection."""
        folder = self._folder / run
        try:
            content = (folder / layout.SPEC).read_bytes()
            spec = msgspec.json.decode(content, type=RunSpec)
        except (OSError, msgspec.MsgspecError):
            return
        priority = self._priority[run] = _priority(folder)
        message = Submit(
            run, msgspec.Raw(content), priority, run in self._alone, Path(spec.data).is_dir()
        )
        self._send(run, message, self._collector.lines(run))
        if run in self._cancelled:
            self._send(run, Cancel(run))

    def _look_for_wishes(self) -> None:
        """What clients left in the folders of runs that are out there, for the driver."""
        now, rung = time.monotonic(), files.bell(self._folder)
        paused = (self._folder / files.PAUSED).exists()
        if paused != self._paused:
            self._paused = paused
            for study in self._studies.values():
                study.send(Pause(paused))
        if rung == self._bell and now - self._looked < LOOK:
            return
        self._bell, self._looked = rung, now
        working = {w.run for study in self._studies.values() for w in study.work.agents}
        for run in self._collector:
            folder = self._folder / run
            if (folder / layout.CANCEL).exists():
                if run not in self._cancelled:
                    self._cancelled[run] = now
                    self._send(run, Cancel(run))
            elif (folder / layout.PAUSED).exists():
                if run not in self._rested:
                    self._rested.add(run)
                    self._send(run, Rest(run))
            elif run not in working and (priority := _priority(folder)) != self._priority.get(run):
                self._priority[run] = priority
                self._send(run, Prioritise(run, priority))

    # Hearing

    def _drain(self) -> None:
        """Whatever else has arrived is made durable together."""
        with contextlib.suppress(queue.Empty):
            for _ in range(2000):
                self._receive(*self._inbox.get_nowait())

    def _receive(self, name: str, frame: Frame | None) -> None:
        study = self._studies[name]
        if frame is None:
            study.work = Work(())
            return
        message, blob = frame
        match message:
            case Welcome():
                self._greet(name, message)
            case Lines():
                with contextlib.suppress(ValueError):
                    self._collector.take(message.run, blob)
            case Log():
                self._collector.log(message.run, blob)
            case Ended():
                if message.run in self._collector:
                    self._ended[message.run] = message
            case Work():
                study.work = message
            case Want():
                if link := study.link:
                    send = (link, self._folder / message.run, message.bundle)
                    threading.Thread(target=_send_bundle, args=send, daemon=True).start()
            case _:
                pass

    def _greet(self, name: str, message: Welcome) -> None:
        """A driver has answered: tell it what shall be trained, and what shall not."""
        study = self._studies[name]
        study.trouble = None
        study.send(Share(self._gpu, self._jobs))
        study.send(Pause(self._paused))
        ours = [run for run in self._collector if self._study_of.get(run) == name]
        for run in set(message.runs) - set(ours):
            study.send(Forget(run))
        for run in ours:
            self._say(run)

    def _settle(self) -> list[Report]:
        """Make durable what came, and let go of the runs that have ended."""
        self._no_room = not self._collector.flush()
        now = time.monotonic()
        for run, since in self._cancelled.items():
            if now - since > CANCEL_PATIENCE and run not in self._ended:
                self._ended[run] = Ended(run, "cancelled")
        found = []
        for run, ended in list(self._ended.items()):
            if self._collector.is_pending(run):
                continue
            del self._ended[run]
            kind, reason = ended.kind, ended.reason
            if kind == "cancelled":
                try:
                    self._collector.end_cancelled(run)
                except OSError:
                    self._ended[run] = ended
                    continue
                kind = "released"
            found.append(Report(run, kind, reason))
            self._send(run, Forget(run))
            self._let_go(run)
        return found

    def _let_go(self, run: str) -> None:
        self._collector.release(run)
        self._study_of.pop(run, None)
        self._cancelled.pop(run, None)
        self._priority.pop(run, None)
        self._alone.discard(run)
        self._rested.discard(run)


def _send_bundle(link: Link, run_folder: Path, bundle: str) -> None:
    """Send what a run needs, from its data folder."""
    try:
        spec = read_spec(run_folder)
        for message, piece in data.pieces(bundle, data.bundle_files(spec)):
            link.send(message, piece)
    except (UserError, OSError) as error:
        link.send(Missing(bundle, str(error)))


def _priority(folder: Path) -> int:
    try:
        return int((folder / layout.PRIORITY).read_text())
    except (OSError, ValueError):
        return 0
