"""The driver's connections: what the client and the agents send reaches the scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import msgspec

from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray import (
    agent_messages,
    bundles,
    client_messages,
    file_messages,
    run_messages,
)
from postertui.supervisor.backends.ray.agent_messages import NodeFacts
from postertui.supervisor.backends.ray.client_messages import WorkStatus
from postertui.supervisor.backends.ray.gpu_shares import GpuShares
from postertui.supervisor.backends.ray.head_storage import HeadStorage, read_checkpoint
from postertui.supervisor.backends.ray.link import accept, pack, read_frame
from postertui.supervisor.backends.ray.message_base import Rejected
from postertui.supervisor.backends.ray.messages import AnyMessage
from postertui.supervisor.backends.ray.node_facts import relevant_versions, version_differences
from postertui.supervisor.backends.ray.scheduler import CLIENT, Scheduler
from postertui.system.errors import UserError

#: A client with more than this unsent, in bytes, is disconnected; it reconnects and gets the rest.
MAX_UNSENT = 1 << 27

#: Seconds for the last messages to be sent.
DRAIN_SECONDS = 5.0


class DriverServer:
    """The open connections of one driver.

    Parameters
    ----------
    scheduler, storage, shares
        What the messages act on.
    key
        Proves the token on both sides; see `link`.
    wake
        Called when a message may have made something due.
    agent_connected
        Called with the task of each agent that connects.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        storage: HeadStorage,
        shares: GpuShares,
        key: bytes,
        *,
        wake: Callable[[], None],
        agent_connected: Callable[[str], None],
    ) -> None:
        self.client_gone_since = time.monotonic()
        self.sent_status: WorkStatus | None = None
        self._scheduler = scheduler
        self._storage = storage
        self._shares = shares
        self._key = key
        self._wake = wake
        self._agent_connected = agent_connected
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._agent_count = 0
        self._nodes: tuple[NodeFacts, ...] = ()
        self._nodes_known = asyncio.Event()

    @property
    def has_client(self) -> bool:
        return CLIENT in self._writers

    def set_nodes(self, nodes: tuple[NodeFacts, ...]) -> None:
        """What the nodes have; clients that ask for it wait until it is set."""
        self._nodes = nodes
        self._nodes_known.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        try:
            if await accept(reader, writer, self._key):
                first, _ = await read_frame(reader)
                match first:
                    case client_messages.ClientHello():
                        await self._serve_client(first, reader, writer)
                    case agent_messages.AgentHello():
                        await self._serve_agent(first, reader, writer)
                    case file_messages.FetchBundle():
                        await self._serve_bundle(first.bundle, writer)
                    case _:
                        pass
        except (OSError, EOFError, ValueError):
            pass
        finally:
            writer.close()

    def send(self, destination: str, message: AnyMessage, blob: bytes = b"") -> None:
        """Send to the client or an agent, where it is connected."""
        writer = self._writers.get(destination)
        if writer is None or writer.is_closing():
            return
        if destination == CLIENT and writer.transport.get_write_buffer_size() > MAX_UNSENT:
            writer.transport.abort()
            return
        writer.write(pack(message, blob))

    def flush(self) -> None:
        """Send what the scheduler has left in its outbox."""
        outbox, self._scheduler.outbox = self._scheduler.outbox, []
        for destination, message, blob in outbox:
            if isinstance(message, agent_messages.TrainRun):
                self._send_run(destination, message, blob)
            else:
                self.send(destination, message, blob)

    def disconnect(self, agent: str) -> None:
        if writer := self._writers.pop(agent, None):
            writer.transport.abort()

    async def drain(self) -> None:
        """Wait until everything is sent, or for some seconds."""
        for writer in self._writers.values():
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await writer.drain()

    # The client

    async def _serve_client(
        self,
        first: client_messages.ClientHello,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if other := version_differences(first.versions, relevant_versions()):
            writer.write(pack(Rejected(f"the cluster's head has {other}")))
            await writer.drain()
            return
        if first.nodes:
            await self._nodes_known.wait()
        if earlier := self._writers.pop(CLIENT, None):
            earlier.close()
        self._writers[CLIENT] = writer
        self.sent_status = None
        runs = tuple(self._scheduler.runs)
        self.send(CLIENT, client_messages.Welcome(relevant_versions(), self._nodes, runs))
        try:
            while True:
                message, blob = await read_frame(reader)
                self._handle_client(message, blob)
                self._wake()
        finally:
            if self._writers.get(CLIENT) is writer:
                del self._writers[CLIENT]
                self.client_gone_since = time.monotonic()
                self._storage.fail_requests("the machine that has the run's data disconnected")

    def _handle_client(self, message: AnyMessage, blob: bytes) -> None:
        scheduler, now = self._scheduler, time.monotonic()
        match message:
            case client_messages.SubmitRun():
                for name, content in self._storage.results(message.run):
                    self.send(CLIENT, run_messages.ResultFile(message.run, name), content)
                scheduler.submit(message, blob)
            case run_messages.CancelRun():
                scheduler.cancel(message.run, now)
            case run_messages.PauseRun():
                scheduler.pause(message.run)
            case run_messages.KillRun():
                scheduler.kill(message.run, message.reason)
            case client_messages.ForgetRun():
                if scheduler.forget(message.run):
                    self._storage.drop_run(message.run)
            case client_messages.SetPriority():
                scheduler.set_priority(message.run, message.priority)
            case client_messages.PauseQueue():
                scheduler.paused = message.paused
            case client_messages.SetLimits():
                self._shares.set_limits(message.gpu, message.jobs)
            case client_messages.CloseDriver():
                self.client_gone_since = now
                scheduler.close()
            case file_messages.FilePiece():
                self._storage.store_piece(message, blob)
            case file_messages.BundleUnavailable():
                self._storage.finish_request(message.bundle, message.reason)
            case _:
                pass

    # Agents

    async def _serve_agent(
        self,
        first: agent_messages.AgentHello,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        scheduler = self._scheduler
        if other := version_differences(relevant_versions(), first.facts.versions):
            reason = f"node {first.facts.host} has {other}"
            scheduler.blocking_reason = reason
            writer.write(pack(Rejected(reason)))
            await writer.drain()
            return
        self._agent_count += 1
        name = f"{first.task}/{self._agent_count}"
        self._writers[name] = writer
        scheduler.add_agent(name, first, time.monotonic())
        self._agent_connected(first.task)
        scheduler.blocking_reason = None
        try:
            while name in scheduler.agents:
                message, blob = await read_frame(reader)
                self._handle_agent(name, message, blob)
                self._wake()
        finally:
            self._writers.pop(name, None)
            scheduler.lose_agent(name, time.monotonic())
            self._wake()

    def _handle_agent(self, name: str, message: AnyMessage, blob: bytes) -> None:
        scheduler, now = self._scheduler, time.monotonic()
        if name not in scheduler.agents:
            return
        scheduler.agents[name].last_message = now
        match message:
            case agent_messages.AgentReady():
                scheduler.mark_ready(name, now)
            case run_messages.EventLines():
                scheduler.append_lines(name, message.run, blob)
                self.flush()
            case run_messages.LogText():
                scheduler.append_log(name, message.run, blob)
            case agent_messages.HeldLines():
                scheduler.merge_held_lines(name, message.run, blob)
            case run_messages.RunEnded():
                scheduler.end_run(name, message)
            case agent_messages.RunReturned():
                scheduler.return_run(name, message.run, now, full=message.full)
            case agent_messages.Heartbeat():
                scheduler.agents[name].heartbeat = message
                if message.gpu is not None and self._shares.record_usage(message.gpu):
                    scheduler.retire_agents()
            case run_messages.ResultFile():
                run = scheduler.runs.get(message.run)
                if run is not None and run.agent in (name, None) and not run.ended:
                    self._storage.keep_result(message, blob)
                    self.send(CLIENT, message, blob)
            case run_messages.CheckpointData():
                run = scheduler.runs.get(message.run)
                if run is not None and run.agent == name:
                    self._storage.keep_checkpoint(message, blob)
            case _:
                pass

    def _send_run(self, agent: str, message: agent_messages.TrainRun, head_lines: bytes) -> None:
        """Send a run after the checkpoint that it may continue from."""
        for epoch, content in read_checkpoint(self._storage.checkpoints(message.run)):
            self.send(agent, run_messages.CheckpointData(message.run, epoch), content)
            message = msgspec.structs.replace(message, checkpoint=epoch)
        self.send(agent, message, head_lines)

    # Files

    async def _serve_bundle(self, bundle: str, writer: asyncio.StreamWriter) -> None:
        """Send a bundle, from the head's own cache or from what the client sends."""
        run, spec = self._run_that_needs(bundle)

        def request() -> bool:
            self.send(CLIENT, file_messages.RequestBundle(bundle, run))
            return self.has_client

        try:
            async for message, piece in self._storage.bundle(bundle, spec, request):
                writer.write(pack(message, piece))
                await writer.drain()
        except UserError as error:
            writer.write(pack(file_messages.BundleUnavailable(bundle, str(error))))
            await writer.drain()

    def _run_that_needs(self, bundle: str) -> tuple[str, RunSpec | None]:
        for name, run in self._scheduler.runs.items():
            if run.has_data and run.agent is not None:
                spec = msgspec.json.decode(run.spec, type=RunSpec)
                if bundles.bundle_name(spec) == bundle:
                    return name, spec
        return "", None
