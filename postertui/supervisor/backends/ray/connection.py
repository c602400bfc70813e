"""From the supervisor to a study's driver: found or started, connected, and connected again."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from postertui.supervisor.backends.ray.address import Address, read_token
from postertui.supervisor.backends.ray.facts import LOOK_FOR, versions
from postertui.supervisor.backends.ray.jobs_api import Jobs
from postertui.supervisor.backends.ray.link import Frame, Link, link_key
from postertui.supervisor.backends.ray.protocol import AnyMessage, Client, Refused, Work
from postertui.system.errors import UserError
from postertui.system.text import slugify

#: Seconds that a driver may take to listen, and between two tries to reach one.
START = 90.0
AGAIN = (0.5, 1.0, 2.0, 3.0, 5.0)


def owner_of(folder: Path) -> str:
    """What tells this machine's runs folder from others on a cluster."""
    identity = f"{socket.gethostname()}:{folder.resolve()}"
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def submit_driver(jobs: Jobs, owner: str, study: str, data: Path | None = None) -> str:
    """Start a driver; its id. Its nodes say whether they see the folder `data`."""
    name = f"postertui-{slugify(study)[:30]}-{owner}-{time.time_ns() // 1_000_000}"
    jobs.start(owner, study, name, {} if data is None else {LOOK_FOR: str(data.resolve())})
    return name


def await_port(jobs: Jobs, name: str, stopped: threading.Event | None = None) -> int:
    """Where the driver listens. Raises `UserError` where it does not come up."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and not (stopped and stopped.is_set()):
        if (port := jobs.port(name)) is not None:
            return port
        if reason := jobs.failure(name):
            raise UserError(f"{jobs.address.url}: {reason}", exit_code=1)
        time.sleep(0.1)
    raise UserError(f"{jobs.address.url}: the driver does not come up; see `ray job logs {name}`")


class Connection:
    """The connection to one study's driver, kept up by a thread.

    `deliver` gets what the driver says, and None each time the connection ends.
    """

    def __init__(
        self, address: Address, owner: str, study: str, deliver: Callable[[Frame | None], None]
    ) -> None:
        self.link: Link | None = None
        self.work = Work(())
        self.trouble: str | None = None
        self._address = address
        self._owner = owner
        self._study = study
        self._deliver = deliver
        # The driver's answer may be here, and its answer wanted, before we know of the link.
        self._beginning = threading.Lock()
        self._stopped = threading.Event()
        self._lost = threading.Event()
        threading.Thread(target=self._keep_up, name=f"driver of {study}", daemon=True).start()

    def send(self, message: AnyMessage, blob: bytes = b"") -> None:
        """Send where there is a connection; whatever matters is said again with each new one."""
        with self._beginning:
            link = self.link
        if link is not None:
            link.send(message, blob)

    def stop(self) -> None:
        self._stopped.set()
        self._lost.set()
        if link := self.link:
            link.close()

    def _keep_up(self) -> None:
        tries = 0
        while not self._stopped.is_set():
            try:
                self._connect()
            except (UserError, OSError) as error:
                self.trouble = str(error)
            else:
                tries = 0
                self._lost.wait()
                self.trouble = f"the connection to {self._address.url} was lost; trying again"
            self.link = None
            self._stopped.wait(AGAIN[min(tries, len(AGAIN) - 1)])
            tries += 1

    def _connect(self) -> None:
        jobs = Jobs(self._address)
        name = jobs.find(self._owner, self._study)
        if name is None:
            name = submit_driver(jobs, self._owner, self._study)
        port = await_port(jobs, name, self._stopped)
        self._lost.clear()
        first = Client(versions())
        link = Link.connect(self._address.host, port, link_key(read_token()), deliver=self._receive)
        with self._beginning:
            link.send(first)
            self.link = link

    def _receive(self, frame: Frame | None) -> None:
        match frame:
            case None:
                self._lost.set()
            case (Refused(reason=reason), _):
                self.trouble = reason
            case _:
                pass
        self._deliver(frame)
