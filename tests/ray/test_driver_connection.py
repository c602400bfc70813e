"""The supervisor's thread that finds a driver and stays in touch with it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from typing import Any

import pytest

from postertui.supervisor.backends.ray import driver_connection
from postertui.supervisor.backends.ray.address import Address
from postertui.supervisor.backends.ray.client_messages import ClientHello, Welcome
from postertui.supervisor.backends.ray.driver_connection import DriverConnection
from postertui.supervisor.backends.ray.link import Frame, Link, accept, link_key, pack, read_frame
from postertui.supervisor.backends.ray.messages import AnyMessage
from postertui.supervisor.backends.ray.run_messages import CancelRun
from tests.support.asyncio_server import Served

TOKEN = "a token"


class FakeJobs:
    """A cluster whose one driver listens on `port`."""

    port_of_driver = 0

    def __init__(self, address: Address) -> None:
        self.address = address

    def find(self, *_: str) -> str:
        return "driver"

    def port(self, _: str) -> int:
        return self.port_of_driver


def test_what_answers_the_driver_s_welcome_reaches_it_however_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received: queue.SimpleQueue[AnyMessage] = queue.SimpleQueue()

    async def drive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            if await accept(reader, writer, link_key(TOKEN)):
                received.put((await read_frame(reader))[0])
                writer.write(pack(Welcome({}, (), ())))
                received.put((await read_frame(reader))[0])
                await reader.read()
        writer.close()

    class SlowLink(Link):
        """The first message is out, and answered, long before `send` returns."""

        def send(self, message: AnyMessage, blob: bytes = b"") -> None:
            super().send(message, blob)
            if isinstance(message, ClientHello):
                time.sleep(0.3)

    def answer(frame: Frame | None) -> Any:
        if frame is not None and isinstance(frame[0], Welcome):
            connection.send(CancelRun("run"))

    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setattr(driver_connection, "RayJobsApi", FakeJobs)
    monkeypatch.setattr(driver_connection, "Link", SlowLink)
    served = Served(lambda: drive)
    FakeJobs.port_of_driver = served.port
    connection = DriverConnection(Address("127.0.0.1", 1), "owner", "study", answer)
    try:
        assert isinstance(received.get(timeout=60), ClientHello)
        assert received.get(timeout=60) == CancelRun("run")
    finally:
        connection.stop()
        served.stop()
