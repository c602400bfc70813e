"""The connections to the drivers of a client's studies, and which run is whose."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from postertui.supervisor.backends.ray.address import Address
from postertui.supervisor.backends.ray.client_messages import AgentStatus
from postertui.supervisor.backends.ray.driver_connection import DriverConnection
from postertui.supervisor.backends.ray.link import Frame
from postertui.supervisor.backends.ray.messages import AnyMessage


class StudyDrivers:
    """One driver per study; a connection is opened when a study's first run is added.

    Parameters
    ----------
    address
        The cluster.
    owner
        Whose drivers, see `owner_id`.
    inbox
        Gets the study and each frame that its driver sends, and None each time the connection ends.
    """

    def __init__(
        self,
        address: Address,
        owner: str,
        inbox: queue.SimpleQueue[tuple[str, Frame | None]],
    ) -> None:
        self._address = address
        self._owner = owner
        self._inbox = inbox
        self._studies: dict[str, str] = {}
        self._connections: dict[str, DriverConnection] = {}

    def add(self, run: str, study: str) -> None:
        """Have what is sent for the run go to the driver of `study`."""
        self._studies[run] = study
        if study not in self._connections:
            inbox = self._inbox
            self._connections[study] = DriverConnection(
                self._address, self._owner, study, lambda frame: inbox.put((study, frame))
            )

    def remove(self, run: str) -> None:
        """Send nothing more for the run."""
        self._studies.pop(run, None)

    def study_of(self, run: str) -> str | None:
        """The run's study; None for one that was not added."""
        return self._studies.get(run)

    def connection(self, study: str) -> DriverConnection:
        """The connection to the study's driver."""
        return self._connections[study]

    def send(self, run: str, message: AnyMessage, blob: bytes = b"") -> None:
        """Send to the driver of the run's study, where there is a connection."""
        if study := self._studies.get(run):
            self._connections[study].send(message, blob)

    def send_all(self, message: AnyMessage) -> None:
        """Send to every driver that there is a connection to."""
        for connection in self._connections.values():
            connection.send(message)

    def agents(self) -> Iterator[AgentStatus]:
        """The agents of all studies, as their drivers last described them."""
        for connection in self._connections.values():
            yield from connection.status.agents

    def blocking_reason(self) -> str | None:
        """Why some study's runs cannot be trained; None where nothing prevents it."""
        for connection in self._connections.values():
            if reason := connection.blocking_reason or connection.status.blocking_reason:
                return reason
        return None

    def is_any_connected(self) -> bool:
        """Whether there is a connection to any driver."""
        return any(connection.link for connection in self._connections.values())

    def stop(self) -> None:
        """Close all connections and open none any more."""
        for connection in self._connections.values():
            connection.stop()
