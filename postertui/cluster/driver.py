"""The one Ray job of a study: connects clients and agents, and asks Ray for the agents.

    python -m postertui.cluster.driver --study NAME --listen HOST --port PORT

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from postertui.cluster import data, protocol, task
from postertui.cluster.address import read_token
from postertui.cluster.facts import difference, home, versions
from postertui.cluster.hub import CLIENT, Hub
from postertui.cluster.link import link_key, pack, read_frame, welcome
from postertui.cluster.protocol import NodeFacts
from postertui.cluster.share import Shares
from postertui.errors import UserError
from postertui.runs import RunSpec, is_run_name

#: Ray, whose functions are only partly typed.
RAY: Any = ray

#: Seconds between two looks at what is due.
TICK = 0.25

#: Seconds without a word after which an agent counts as gone.
SILENCE = float(os.environ.get("POSTERTUI_CLUSTER_SILENCE", "45"))

#: Seconds for which an agent without a run stays warm.
IDLE = 5.0

#: At most so many agents are asked for before they are there.
PENDING = 64

#: How often Ray starts a task again whose worker or node is lost.
RETRIES = 3

#: Seconds to live without a client: with runs, and without any.
ALONE = 7 * 86_400.0
UNWANTED = 120.0

#: Seconds for a node to say what it is.
DESCRIBE = 60.0

#: A client that is this far behind, in bytes, is let go; it comes back and is told what it lacks.
BEHIND = 1 << 27

PORTS = 20


class Driver:
    """Connections and tasks around one hub."""

    def __init__(self, study: str, key: bytes) -> None:
        self.hub = Hub()
        self._study = study
        self._key = key
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._host, self._port = "", 0
        self._tasks: dict[str, tuple[Any, bool]] = {}
        self._count = 0
        self._failures = 0
        self._not_before = 0.0
        self._shares = Shares()
        self._nodes: tuple[NodeFacts, ...] = ()
        self._described = asyncio.Event()
        self._due = asyncio.Event()
        self._alone_since = time.monotonic()
        self._wanted: dict[str, list[asyncio.Queue[str]]] = {}
        self._waiters: set[asyncio.Task[None]] = set()
        self._drafts: dict[str, data.Draft] = {}
        self._home = home()
        self._said: protocol.Work | None = None

    async def serve(self, listen: str, port: int) -> None:
        """Work until told to close, or until nobody has come for long."""
        address = RAY.util.get_node_ip_address()
        self._host = address
        client_host = address if listen == "-" else listen
        server, client_port = await self._listen(client_host, port)
        servers = [server]
        if client_host == address:
            self._port = client_port
        else:
            other = await asyncio.start_server(self._connected, address, 0, limit=1 << 20)
            self._port = other.sockets[0].getsockname()[1]
            servers.append(other)
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
            for ref, _ in self._tasks.values():
                ray.cancel(ref)
            for each in servers:
                each.close()
            for writer in self._writers.values():
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(5):
                        await writer.drain()

    async def _listen(self, host: str, port: int) -> tuple[asyncio.Server, int]:
        for candidate in range(port, port + PORTS):
            with contextlib.suppress(OSError):
                server = await asyncio.start_server(self._connected, host, candidate, limit=1 << 20)
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

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
                hub.forget(message.run)
                self._drop_checkpoints(message.run)
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
                self._store(message, blob)
            case protocol.Missing():
                self._answer_fetchers(message.bundle, message.reason)
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
        self._failures = 0
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
                self._flush()
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
                self._keep_checkpoint(name, message, blob)
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

    def _flush(self) -> None:
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
        self._flush()
        self._ask_ray(now)
        work = hub.work()
        if work != self._said:
            self._said = work
            self._send(CLIENT, work)

    def _ask_ray(self, now: float) -> None:
        """Have as many agents on their way as runs wait."""
        hub = self.hub
        if hub.closing:
            return
        gpus = RAY.cluster_resources().get("GPU", 0)
        here = {worker.task for worker in hub.agents.values()}
        for alone in (False, True):
            pending = [
                (name, ref) for name, (ref, a) in self._tasks.items() if a == alone
                and name not in here
            ]  # fmt: skip
            waiting = 0 if hub.paused else hub.waiting(alone=alone)
            if not waiting:
                for _, ref in pending:
                    ray.cancel(ref)
                continue
            if now < self._not_before:
                continue
            wanted = min(waiting, PENDING) - len(pending)
            wanted = min(wanted, self._shares.room(len(self._tasks), gpus))
            for _ in range(wanted):
                self._start_task(alone, gpus, now)

    def _start_task(self, alone: bool, gpus: float, now: float) -> None:
        self._count += 1
        name = f"t{self._count}"
        gpu = self._shares.gpu(alone=alone, on_cluster=gpus)
        options: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpu, "max_retries": RETRIES}
        if full := self.hub.full_nodes(now):
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(full)})"}
        remote = ray.remote(task.work).options(**options)
        ref = remote.remote(
            self._host, self._port, self._key.hex(), name, self._study, alone, gpu > 0
        )
        self._tasks[name] = ref, alone
        waiter = asyncio.create_task(self._wait_for(name, ref))
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)

    async def _wait_for(self, name: str, ref: Any) -> None:
        try:
            await asyncio.wrap_future(ref.future())
        except ray.exceptions.TaskCancelledError:
            pass
        except Exception as error:
            self._failures += 1
            if self._failures > 1:
                self._not_before = time.monotonic() + min(30.0, 2.0**self._failures)
                last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
                self.hub.trouble = f"no agent stays up on the cluster: {last[:300]}"
        finally:
            self._tasks.pop(name, None)
            self._due.set()

    async def _describe(self) -> None:
        """Ask every node what it is."""
        describe = ray.remote(task.describe)
        asked = {}
        for node in RAY.nodes():
            if node["Alive"]:
                where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": where}
                asked[node["NodeID"]] = node, describe.options(**options).remote()

        async def answer(name: str, node: dict[str, Any], ref: Any) -> NodeFacts:
            try:
                async with asyncio.timeout(DESCRIBE):
                    told = await asyncio.wrap_future(ref.future())
                facts = msgspec.json.decode(told, type=NodeFacts)
                resources = node["Resources"]
                return msgspec.structs.replace(facts, cpus=resources.get("CPU", 0.0))
            except TimeoutError:
                problem = f"does not answer within {DESCRIBE:.0f} s"
            except Exception as error:
                problem = str(error).strip().splitlines()[-1][:200]
                if "No module named 'postertui" in str(error):
                    problem = "has no postertui of this version: install it there"
            return NodeFacts(node=name, host=node["NodeManagerHostname"], problem=problem)

        self._nodes = tuple(
            await asyncio.gather(*(answer(name, node, ref) for name, (node, ref) in asked.items()))
        )
        self._described.set()

    # Checkpoints and files

    def _checkpoints(self, run: str) -> Iterator[tuple[int, Path]]:
        for path in (self._home / "checkpoints" / self._study).glob(f"{run}.*"):
            if path.suffix[1:].isdigit():
                yield int(path.suffix[1:]), path

    def _keep_checkpoint(self, agent: str, message: protocol.Saved, blob: bytes) -> None:
        run = self.hub.runs.get(message.run)
        if run is None or run.holder != agent or not is_run_name(message.run):
            return
        before = list(self._checkpoints(message.run))
        folder = self._home / "checkpoints" / self._study
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = folder / f".{message.run}.new"
            draft.write_bytes(blob)
            draft.replace(folder / f"{message.run}.{message.epoch}")
            for epoch, path in before:
                if epoch != message.epoch:
                    path.unlink(missing_ok=True)

    def _drop_checkpoints(self, run: str) -> None:
        if is_run_name(run):
            for _, path in self._checkpoints(run):
                path.unlink(missing_ok=True)

    def _send_train(self, to: str, message: protocol.Train, known: bytes) -> None:
        for epoch, path in sorted(self._checkpoints(message.run))[-1:]:
            with contextlib.suppress(OSError):
                self._send(to, protocol.Saved(message.run, epoch), path.read_bytes())
                message = msgspec.structs.replace(message, checkpoint=epoch)
        self._send(to, message, known)

    async def _serve_files(self, bundle: str, writer: asyncio.StreamWriter) -> None:
        """Send a bundle, from the head's own cache or from what comes from the client."""
        try:
            folder = data.bundle_folder(self._home, bundle)
            if not folder.is_dir():
                await self._get_bundle(bundle)
            for message, piece in data.pieces(bundle, data.stored_files(folder)):
                writer.write(pack(message, piece))
                await writer.drain()
        except UserError as error:
            writer.write(pack(protocol.Missing(bundle, str(error))))
            await writer.drain()

    async def _get_bundle(self, bundle: str) -> None:
        """Have a bundle in the head's cache: from a shared folder, or from the client."""
        run = self._run_for(bundle)
        if run is None:
            raise UserError(f"no run needs the data {bundle}")
        spec = msgspec.json.decode(self.hub.runs[run].spec, type=RunSpec)
        if data.is_shared(spec):
            draft = data.Draft(self._home, bundle)
            try:
                for message, piece in data.pieces(bundle, data.bundle_files(spec)):
                    draft.add(message, piece)
            finally:
                draft.discard()
            return
        queue: asyncio.Queue[str] = asyncio.Queue()
        waiting = self._wanted.setdefault(bundle, [])
        waiting.append(queue)
        if len(waiting) == 1:
            self._send(CLIENT, protocol.Want(bundle, run))
        if CLIENT not in self._writers:
            self._answer_fetchers(bundle, "the machine that has the run's data is away")
        if reason := await queue.get():
            raise UserError(reason)

    def _run_for(self, bundle: str) -> str | None:
        for name, run in self.hub.runs.items():
            if run.has_data and run.holder is not None:
                spec = msgspec.json.decode(run.spec, type=RunSpec)
                if data.bundle_name(spec) == bundle:
                    return name
        return None

    def _store(self, message: protocol.File, piece: bytes) -> None:
        try:
            draft = self._drafts.get(message.bundle)
            if draft is None:
                draft = self._drafts[message.bundle] = data.Draft(self._home, message.bundle)
            if draft.add(message, piece):
                del self._drafts[message.bundle]
                self._answer_fetchers(message.bundle, "")
        except (OSError, UserError) as error:
            self._answer_fetchers(message.bundle, f"the head cannot keep the data: {error}")

    def _answer_fetchers(self, bundle: str, reason: str) -> None:
        if reason and (draft := self._drafts.pop(bundle, None)):
            draft.discard()
        for queue in self._wanted.pop(bundle, []):
            queue.put_nowait(reason)


def _say(text: str) -> None:
    """On the job's log, where clients look for the port."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="postertui.cluster.driver")
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
