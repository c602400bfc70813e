"""The supervisor's connection to a study's driver, which it finds or starts and reconnects to."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from postertui.supervisor.backends.ray.address import Address, read_token
from postertui.supervisor.backends.ray.client_messages import ClientHello, WorkStatus
from postertui.supervisor.backends.ray.jobs_api import RayJobsApi
from postertui.supervisor.backends.ray.link import Frame, Link, link_key
from postertui.supervisor.backends.ray.message_base import Rejected
from postertui.supervisor.backends.ray.messages import AnyMessage
from postertui.supervisor.backends.ray.node_facts import DATA_VARIABLE, relevant_versions
from postertui.system.errors import UserError
from postertui.system.text import slugify

#: Seconds for a driver to start listening.
START_PATIENCE = 90.0

#: Seconds to wait before each further attempt to connect.
RETRY_DELAYS = (0.5, 1.0, 2.0, 3.0, 5.0)


def owner_id(folder: Path) -> str:
    """Identifies this machine's runs folder on a cluster."""
    identity = f"{socket.gethostname()}:{folder.resolve()}"
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def submit_driver(jobs: RayJobsApi, owner: str, study: str, data: Path | None = None) -> str:
    """Start a driver and return its id. Its nodes report whether they see the folder `data`."""
    name = f"postertui-{slugify(study)[:30]}-{owner}-{time.time_ns() // 1_000_000}"
    jobs.start(owner, study, name, {} if data is None else {DATA_VARIABLE: str(data.resolve())})
    return name


def await_port(jobs: RayJobsApi, name: str, stopped: threading.Event | None = None) -> int:
    """The port on which the driver listens.

    Parameters
    ----------
    name
        Of the driver's Ray job.
    stopped
        Ends the wait once it is set; None where nothing does.

    Raises
    ------
    UserError
        Where the driver does not start.
    """
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline and not (stopped and stopped.is_set()):
        if (port := jobs.port(name)) is not None:
            return port
        if reason := jobs.failure(name):
            raise UserError(f"{jobs.address.url}: {reason}", exit_code=1)
        time.sleep(0.1)
    raise UserError(f"{jobs.address.url}: the driver does not start; see `ray job logs {name}`")


class DriverConnection:
    """The connection to one study's driver, maintained by a thread.

    Parameters
    ----------
    address
        The cluster.
    owner, study
        Whose driver, and for which study.
    deliver
        Gets each frame that the driver sends, and None each time the connection ends.
    """

    def __init__(
        self, address: Address, owner: str, study: str, deliver: Callable[[Frame | None], None]
    ) -> None:
        self.link: Link | None = None
        self.status = WorkStatus(())
        self.blocking_reason: str | None = None
        self._address = address
        self._owner = owner
        self._study = study
        self._deliver = deliver
        # The driver may answer, and `deliver` send something back, before `link` is set.
        self._setup = threading.Lock()
        self._stopped = threading.Event()
        self._lost = threading.Event()
        threading.Thread(target=self._maintain, name=f"driver of {study}", daemon=True).start()

    def send(self, message: AnyMessage, blob: bytes = b"") -> None:
        """Send where there is a connection; what matters is sent again on each new one."""
        with self._setup:
            link = self.link
        if link is not None:
            link.send(message, blob)

    def stop(self) -> None:
        self._stopped.set()
        self._lost.set()
        if link := self.link:
            link.close()

    def _maintain(self) -> None:
        attempts = 0
        while not self._stopped.is_set():
            try:
                self._connect()
            except (UserError, OSError) as error:
                self.blocking_reason = str(error)
            else:
                attempts = 0
                self._lost.wait()
                self.blocking_reason = (
                    f"the connection to {self._address.url} was lost; trying again"
                )
            self.link = None
            self._stopped.wait(RETRY_DELAYS[min(attempts, len(RETRY_DELAYS) - 1)])
            attempts += 1

    def _connect(self) -> None:
        jobs = RayJobsApi(self._address)
        name = jobs.find(self._owner, self._study)
        if name is None:
            name = submit_driver(jobs, self._owner, self._study)
        port = await_port(jobs, name, self._stopped)
        self._lost.clear()
        first = ClientHello(relevant_versions())
        link = Link.connect(self._address.host, port, link_key(read_token()), deliver=self._receive)
        with self._setup:
            link.send(first)
            self.link = link

    def _receive(self, frame: Frame | None) -> None:
        match frame:
            case None:
                self._lost.set()
            case (Rejected(reason=reason), _):
                self.blocking_reason = reason
            case _:
                pass
        self._deliver(frame)
