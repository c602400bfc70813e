"""The one Ray job of a study: connects clients and agents, and asks Ray for the agents.

    python -m postertui.supervisor.backends.ray.driver --study NAME --listen HOST --port PORT

It listens twice: where the client comes (loopback behind a tunnel, or the head's own address),
and on the head's address for agents. What it decides is in `hub`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import time

import msgspec
import ray

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray import data, protocol
from postertui.supervisor.backends.ray.address import read_token
from postertui.supervisor.backends.ray.depot import Depot, read_checkpoint
from postertui.supervisor.backends.ray.facts import difference, home, versions
from postertui.supervisor.backends.ray.hub import CLIENT, Hub
from postertui.supervisor.backends.ray.link import link_key, pack, read_frame, welcome
from postertui.supervisor.backends.ray.pool import RAY, Pool, describe_nodes
from postertui.supervisor.backends.ray.protocol import NodeFacts
from postertui.supervisor.backends.ray.share import Shares
from postertui.system.errors import UserError

#: Seconds between two looks at what is due.
TICK = 0.25

#: Seconds without a word after which an agent counts as gone.
SILENCE = float(os.environ.get("POSTERTUI_CLUSTER_SILENCE", "45"))

#: Seconds for which an agent without a run stays warm.
IDLE = 5.0

#: Seconds to live without a client: with runs, and without any.
ALONE = 7 * 86_400.0
UNWANTED = 120.0

#: A client that is this far behind, in bytes, is let go; it comes back and is told what it lacks.
BEHIND = 1 << 27

PORTS = 20


class Driver:
    """Connections and tasks around one hub."""

    def __init__(self, study: str, key: bytes) -> None:
        self.hub = Hub()
        self._study = study
        self._key = key
        self._shares = Shares()
        self._due = asyncio.Event()
        self._pool = Pool(self.hub, self._shares, self._due.set)
        self._depot = Depot(home(), study)
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._count = 0
        self._nodes: tuple[NodeFacts, ...] = ()
        self._described = asyncio.Event()
        self._alone_since = time.monotonic()
        self._said: protocol.Work | None = None

    async def serve(self, listen: str, port: int) -> None:
        """Work until told to close, or until nobody has come for long."""
        address = RAY.util.get_node_ip_address()
        client_host = address if listen == "-" else listen
        server, client_port = await self._listen(client_host, port)
        servers = [server]
        if client_host == address:
            port = client_port
        else:
            other = await asyncio.start_server(self.connected, address, 0, limit=1 << 20)
            port = other.sockets[0].getsockname()[1]
            servers.append(other)
        self._pool.where = address, port, self._key.hex(), self._study
        _say(f"postertui: listening on {client_host} {client_port}")
        describing = asyncio.create_task(self._describe())
        try:
            while not self._is_over():
                self._due.clear()
                self._attend(time.monotonic())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK):
                        await self._due.wait()
        finally:
            describing.cancel()
            self._pool.cancel_all()
            for each in servers:
                each.close()
            for writer in self._writers.values():
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(5):
                        await writer.drain()

    async def _listen(self, host: str, port: int) -> tuple[asyncio.Server, int]:
        for candidate in range(port, port + PORTS):
            with contextlib.suppress(OSError):
                server = await asyncio.start_server(self.connected, host, candidate, limit=1 << 20)
                return server, candidate
        raise UserError(f"{host}: none of the ports {port} to {port + PORTS - 1} is free")

    def _is_over(self) -> bool:
        if self.hub.closing:
            stopping = time.monotonic() - self._alone_since
            return not any(w.run for w in self.hub.agents.values()) or stopping > 10
        if CLIENT in self._writers:
            return False
        patience = ALONE if self.hub.runs else UNWANTED
        return time.monotonic() - self._alone_since > patience

    # Connections

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await welcome(reader, writer, self._key):
                first, _ = await read_frame(reader)
                match first:
                    case protocol.Client():
                        await self._serve_client(first, reader, writer)
                    case protocol.Agent():
                        await self._serve_agent(first, reader, writer)
                    case protocol.Fetch():
                        await self._serve_files(first.bundle, writer)
                    case _:
                        pass
        except (OSError, EOFError, ValueError):
            pass
        finally:
            writer.close()

    async def _serve_client(
        self,
        first: protocol.Client,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if other := difference(first.versions, versions()):
            writer.write(pack(protocol.Refused(f"the cluster's head has {other}")))
            await writer.drain()
            return
        if first.nodes:
            await self._described.wait()
        if before := self._writers.pop(CLIENT, None):
            before.close()
        self._writers[CLIENT] = writer
        self._said = None
        runs = tuple(self.hub.runs)
        self._send(CLIENT, protocol.Welcome(versions(), self._nodes, runs))
        try:
            while True:
                message, blob = await read_frame(reader)
                self._from_client(message, blob)
                self._due.set()
        finally:
            if self._writers.get(CLIENT) is writer:
                del self._writers[CLIENT]
                self._alone_since = time.monotonic()
                self._depot.give_up("the machine that has the run's data went away")

    def _from_client(self, message: protocol.AnyMessage, blob: bytes) -> None:
        hub, now = self.hub, time.monotonic()
        match message:
            case protocol.Submit():
                hub.submit(message, blob)
            case protocol.Cancel():
                hub.cancel(message.run, now)
            case protocol.Rest():
                hub.rest(message.run)
            case protocol.Kill():
                hub.kill(message.run, message.reason)
            case protocol.Forget():
                if hub.forget(message.run):
                    self._depot.drop(message.run)
            case protocol.Prioritise():
                hub.prioritise(message.run, message.priority)
            case protocol.Pause():
                hub.paused = message.paused
            case protocol.Share():
                self._shares.ask(message.gpu, message.jobs)
            case protocol.Close():
                self._alone_since = now
                hub.close()
            case protocol.File():
                self._depot.store(message, blob)
            case protocol.Missing():
                self._depot.answer(message.bundle, message.reason)
            case _:
                pass

    async def _serve_agent(
        self, first: protocol.Agent, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if other := difference(versions(), first.facts.versions):
            reason = f"node {first.facts.host} has {other}"
            self.hub.trouble = reason
            writer.write(pack(protocol.Refused(reason)))
            await writer.drain()
            return
        self._count += 1
        name = f"{first.task}/{self._count}"
        self._writers[name] = writer
        self.hub.join(name, first, time.monotonic())
        self._pool.came(first.task)
        self.hub.trouble = None
        try:
            while name in self.hub.agents:
                message, blob = await read_frame(reader)
                self._from_agent(name, message, blob)
                self._due.set()
        finally:
            self._writers.pop(name, None)
            self.hub.lose(name, time.monotonic())
            self._due.set()

    def _from_agent(self, name: str, message: protocol.AnyMessage, blob: bytes) -> None:
        hub, now = self.hub, time.monotonic()
        if name not in hub.agents:
            return
        hub.agents[name].heard = now
        match message:
            case protocol.Ready():
                hub.ready(name, now)
            case protocol.Lines():
                hub.take(name, message.run, blob)
                self.flush()
            case protocol.Log():
                hub.log(name, message.run, blob)
            case protocol.Holding():
                hub.hold(name, message.run, blob)
            case protocol.Ended():
                hub.ended(name, message)
            case protocol.Returned():
                hub.returned(name, message.run, now, full=message.full)
            case protocol.Beat():
                hub.agents[name].beat = message
                if message.gpu is not None and self._shares.measure(message.gpu):
                    hub.retire_all()
            case protocol.Saved():
                run = hub.runs.get(message.run)
                if run is not None and run.holder == name:
                    self._depot.keep(message, blob)
            case _:
                pass

    def _send(self, to: str, message: protocol.AnyMessage, blob: bytes = b"") -> None:
        writer = self._writers.get(to)
        if writer is None or writer.is_closing():
            return
        if to == CLIENT and writer.transport.get_write_buffer_size() > BEHIND:
            writer.transport.abort()
            return
        writer.write(pack(message, blob))

    def flush(self) -> None:
        outbox, self.hub.outbox = self.hub.outbox, []
        for to, message, blob in outbox:
            if isinstance(message, protocol.Train):
                self._send_train(to, message, blob)
            else:
                self._send(to, message, blob)

    # What is due

    def _attend(self, now: float) -> None:
        hub = self.hub
        for silent in hub.overdue(now, SILENCE, IDLE):
            hub.lose(silent, now)
            if writer := self._writers.pop(silent, None):
                writer.transport.abort()
        hub.hand_out(now)
        self.flush()
        self._pool.ask(now)
        work = hub.work()
        if work != self._said:
            self._said = work
            self._send(CLIENT, work)

    async def _describe(self) -> None:
        self._nodes = await describe_nodes()
        self._described.set()

    # Checkpoints and files

    def _send_train(self, to: str, message: protocol.Train, known: bytes) -> None:
        """Tell an agent to train, after the checkpoint that it may go on from."""
        for epoch, content in read_checkpoint(self._depot.checkpoints(message.run)):
            self._send(to, protocol.Saved(message.run, epoch), content)
            message = msgspec.structs.replace(message, checkpoint=epoch)
        self._send(to, message, known)

    async def _serve_files(self, bundle: str, writer: asyncio.StreamWriter) -> None:
        """Send a bundle, from the head's own cache or from what comes from the client."""
        run, spec = self._run_for(bundle)

        def want() -> bool:
            self._send(CLIENT, protocol.Want(bundle, run))
            return CLIENT in self._writers

        try:
            async for message, piece in self._depot.bundle(bundle, spec, want):
                writer.write(pack(message, piece))
                await writer.drain()
        except UserError as error:
            writer.write(pack(protocol.Missing(bundle, str(error))))
            await writer.drain()

    def _run_for(self, bundle: str) -> tuple[str, RunSpec | None]:
        """A run that needs the bundle."""
        for name, run in self.hub.runs.items():
            if run.has_data and run.holder is not None:
                spec = msgspec.json.decode(run.spec, type=RunSpec)
                if data.bundle_name(spec) == bundle:
                    return name, spec
        return "", None


def _say(text: str) -> None:
    """On the job's log, where clients look for the port."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="postertui.supervisor.backends.ray.driver")
    parser.add_argument("--study", required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    os.umask(0o077)
    try:
        key = link_key(read_token())
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
        asyncio.run(Driver(arguments.study, key).serve(arguments.listen, arguments.port))
    except UserError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
