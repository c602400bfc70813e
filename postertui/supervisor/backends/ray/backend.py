"""`RayJobs`: the `Backend` that trains runs on a Ray cluster.

All waiting runs are sent to the driver at once, so that the cluster goes on while this machine is
disconnected. Nothing here waits for the network: each study has a thread that finds or starts its
driver, connects, and reconnects when the connection ends.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from postertui.runs.events import DamagedEventsError
from postertui.runs.spec import read_spec
from postertui.supervisor.backends.base import Assignment, RunReport
from postertui.supervisor.backends.ray.address import Address
from postertui.supervisor.backends.ray.client_messages import (
    CloseDriver,
    ForgetRun,
    PauseQueue,
    SetLimits,
    Welcome,
    WorkStatus,
)
from postertui.supervisor.backends.ray.client_requests import RunRequests
from postertui.supervisor.backends.ray.collector import Collector, submitted_runs
from postertui.supervisor.backends.ray.driver_connection import owner_id
from postertui.supervisor.backends.ray.file_messages import RequestBundle
from postertui.supervisor.backends.ray.link import Frame
from postertui.supervisor.backends.ray.run_messages import (
    CancelRun,
    EventLines,
    KillRun,
    LogText,
    ResultFile,
    RunEnded,
)
from postertui.supervisor.backends.ray.study_drivers import StudyDrivers
from postertui.supervisor.backends.ray.submission import (
    ended_as_untrusted,
    send_bundle,
    submission,
)
from postertui.supervisor.units import groups_among
from postertui.system.errors import UserError
from postertui.system.os_errors import disk_full_reason

#: The most runs that are submitted at a time.
MAX_SUBMITTED = 20_000

#: The most messages that are made durable together.
MAX_BATCH = 2000

#: Seconds after which a cancelled run is ended although the cluster has not answered.
CANCEL_PATIENCE = 12.0


class RayJobs:
    """Trains runs on a Ray cluster; see `postertui.supervisor.backends.base.Backend`.

    Parameters
    ----------
    folder
        The runs folder.
    address
        The cluster.
    jobs
        Runs at a time on CPUs, or per GPU; None for as many as fit.
    gpu
        The share of a GPU per run; None to measure it.
    """

    def __init__(
        self, folder: Path, address: Address, jobs: int | None = None, gpu: float | None = None
    ) -> None:
        self._folder = folder
        self._jobs = jobs
        self._gpu = gpu
        self._collector = Collector(folder)
        self._requests = RunRequests(folder)
        self._inbox: queue.SimpleQueue[tuple[str, Frame | None]] = queue.SimpleQueue()
        self._drivers = StudyDrivers(address, owner_id(folder), self._inbox)
        self._exclusive: set[str] = set()
        #: The runs of a submitted group, by each of them.
        self._together: dict[str, tuple[str, ...]] = {}
        self._ended: dict[str, RunEnded] = {}
        self._rejected: list[RunReport] = []
        self._disk_full = False
        for run, study in submitted_runs(folder).items():
            with contextlib.suppress(DamagedEventsError, OSError, ValueError):
                if self._collector.claim(run, study):
                    if self._collector.is_closed(run):
                        self._collector.release(run)
                    else:
                        self._drivers.add(run, study)
        self._together |= groups_among(folder, self._collector)

    # The interface

    def runs_in_progress(self) -> list[str]:
        return list(self._collector)

    def slot_count(self) -> int:
        return 0

    def capacity(self, *, exclusive: bool = False) -> int:
        return MAX_SUBMITTED - len(self._collector)

    def submit(self, runs: Sequence[str], *, exclusive: bool = False) -> None:
        claimed = [run for run in runs if self._claim(run)]
        self._together.update((run, tuple(claimed)) for run in claimed if len(runs) > 1)
        for run in claimed:
            if exclusive:
                self._exclusive.add(run)
            self._send_submission(run)

    def _claim(self, run: str) -> bool:
        """Take the run's lock; where that cannot be done, it is reported."""
        try:
            spec = read_spec(self._folder / run)
            study = spec.study
            if ended_as_untrusted(self._folder / run, spec):
                self._rejected.append(RunReport(run, "released"))
                return False
            if not self._collector.claim(run, study):
                self._rejected.append(RunReport(run, "held"))
                return False
        except (DamagedEventsError, UserError, OSError, ValueError) as error:
            self._rejected.append(RunReport(run, "released", str(error)))
            return False
        self._drivers.add(run, study)
        return True

    def kill(self, run: str, reason: str) -> None:
        self._drivers.send(run, KillRun(run, reason))

    def assignments(self) -> list[Assignment]:
        return [
            Assignment(a.run, a.host, f"{a.host} {a.device}", a.pid, a.memory)
            for a in self._drivers.agents()
        ]

    def poll(self, timeout: float) -> list[RunReport]:
        deadline = time.monotonic() + timeout
        self._send_requests()
        reports, self._rejected = self._rejected, []
        reports += self._settle()
        while not reports and (remaining := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._receive(*self._inbox.get(timeout=remaining))
                self._receive_rest()
                reports += self._settle()
        return reports

    def resize(self, jobs: int) -> None:
        if jobs != self._jobs:
            self._jobs = jobs
            self._drivers.send_all(SetLimits(self._gpu, jobs))

    def blocking_reason(self) -> str | None:
        if self._disk_full:
            return f"{disk_full_reason(self._folder)}; the cluster keeps what it has"
        return self._drivers.blocking_reason()

    def warning(self) -> str | None:
        return None

    def memory(self) -> str:
        return ""

    def close(self, patience: float) -> list[RunReport]:
        """Stop the submitted runs. Those that do not answer stay submitted and claimed.

        The claims end with this process; the next supervisor takes them up again. Where no run is
        submitted, the driver stays for some time in case more are.
        """
        reports: list[RunReport] = []
        deadline = time.monotonic() + patience
        if len(self._collector):
            self._drivers.send_all(CloseDriver())
        while len(self._collector) and (remaining := deadline - time.monotonic()) > 0:
            reports += self.poll(min(remaining, 0.1))
            if not self._drivers.is_any_connected():
                break
        self._drivers.stop()
        return reports

    # Sending

    def _send_submission(self, run: str) -> None:
        """Submit a run to its driver; repeated on each new connection."""
        message = submission(
            self._folder / run,
            priority=self._requests.submitted_priority(run),
            exclusive=run in self._exclusive,
            together=self._together.get(run, ()),
        )
        if message is None:
            return
        self._drivers.send(run, message, self._collector.lines(run))
        if run in self._requests.cancelled:
            self._drivers.send(run, CancelRun(run))

    def _send_requests(self) -> None:
        """Pass on what users have requested since."""
        if change := self._requests.queue_change():
            self._drivers.send_all(change)
        in_training = {agent.run for agent in self._drivers.agents() if agent.run is not None}
        for message in self._requests.run_changes(self._collector, in_training):
            self._drivers.send(message.run, message)

    # Receiving

    def _receive_rest(self) -> None:
        """Receive what else has arrived, so that it is made durable together."""
        with contextlib.suppress(queue.Empty):
            for _ in range(MAX_BATCH):
                self._receive(*self._inbox.get_nowait())

    def _receive(self, study: str, frame: Frame | None) -> None:
        connection = self._drivers.connection(study)
        if frame is None:
            connection.status = WorkStatus(())
            return
        message, blob = frame
        match message:
            case Welcome():
                self._resubmit(study, message)
            case EventLines():
                with contextlib.suppress(ValueError):
                    self._collector.add_lines(message.run, blob)
            case ResultFile():
                self._collector.add_result(message.run, message.name, blob)
            case LogText():
                self._collector.append_log(message.run, blob)
            case RunEnded():
                if message.run in self._collector:
                    self._ended[message.run] = message
            case WorkStatus():
                connection.status = message
            case RequestBundle():
                if link := connection.link:
                    send = (link, self._folder / message.run, message.bundle)
                    threading.Thread(target=send_bundle, args=send, daemon=True).start()
            case _:
                pass

    def _resubmit(self, study: str, message: Welcome) -> None:
        """On a new connection: send all runs of the study, and drop all others."""
        connection = self._drivers.connection(study)
        connection.blocking_reason = None
        connection.send(SetLimits(self._gpu, self._jobs))
        connection.send(PauseQueue(self._requests.queue_paused))
        submitted = [run for run in self._collector if self._drivers.study_of(run) == study]
        for run in set(message.runs) - set(submitted):
            connection.send(ForgetRun(run))
        for run in submitted:
            self._send_submission(run)

    def _settle(self) -> list[RunReport]:
        """Make durable what has arrived, and release the runs that have ended."""
        self._disk_full = not self._collector.flush()
        now = time.monotonic()
        for run, since in self._requests.cancelled.items():
            if now - since > CANCEL_PATIENCE and run not in self._ended:
                self._ended[run] = RunEnded(run, "cancelled")
        reports = []
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
            reports.append(RunReport(run, kind, reason))
            self._drivers.send(run, ForgetRun(run))
            self._release(run)
        return reports

    def _release(self, run: str) -> None:
        self._collector.release(run)
        self._requests.forget(run)
        self._drivers.remove(run)
        self._exclusive.discard(run)
        for other in self._together.pop(run, ()):
            if other in self._together:
                remaining = tuple(name for name in self._together[other] if name != run)
                self._together[other] = remaining
