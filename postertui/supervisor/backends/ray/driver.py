"""The one Ray job of a study: serves the client and the agents, and asks Ray for agents.

    python -m postertui.supervisor.backends.ray.driver --study NAME --listen HOST --port PORT

It listens twice: where the client connects (loopback behind a tunnel, or the head's own address),
and on the head's address for agents. Decisions are in `scheduler`, connections in `driver_server`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import time

import ray

from postertui.supervisor.backends.ray.address import read_token
from postertui.supervisor.backends.ray.agent_pool import RAY, AgentPool, describe_nodes
from postertui.supervisor.backends.ray.client_messages import WorkStatus
from postertui.supervisor.backends.ray.driver_server import DriverServer
from postertui.supervisor.backends.ray.gpu_shares import GpuShares
from postertui.supervisor.backends.ray.head_storage import HeadStorage
from postertui.supervisor.backends.ray.link import link_key
from postertui.supervisor.backends.ray.node_facts import cache_home
from postertui.supervisor.backends.ray.scheduler import CLIENT, Scheduler
from postertui.system.environment import read_number
from postertui.system.errors import UserError

#: Seconds between two passes over what is due.
TICK = 0.25

#: Seconds without a message after which an agent counts as lost.
SILENCE = 45.0

#: Seconds between two passes after which this process counts as having been frozen.
FROZEN_AFTER = 10.0

#: Seconds for which an agent without a run stays warm.
IDLE = 5.0

#: Seconds to stay without a client: with runs, and without any.
KEEP_ALIVE_WITH_RUNS = 7 * 86_400.0
KEEP_ALIVE_EMPTY = 120.0

#: Seconds for agents to stop once the driver is closed.
CLOSE_PATIENCE = 10.0

#: How many ports are tried.
PORTS = 20


class Driver:
    """A study's scheduler with its connections and its Ray tasks."""

    def __init__(self, study: str, key: bytes) -> None:
        self.scheduler = Scheduler()
        self._study = study
        self._key = key
        shares = GpuShares()
        self._wake = asyncio.Event()
        self._silence = read_number("POSTERTUI_CLUSTER_SILENCE", SILENCE)
        self._last_pass = time.monotonic()
        self._pool = AgentPool(self.scheduler, shares, self._wake.set)
        self.server = DriverServer(
            self.scheduler,
            HeadStorage(cache_home(), study),
            shares,
            key,
            wake=self._wake.set,
            agent_connected=self._pool.mark_connected,
        )

    async def serve(self, listen: str, port: int) -> None:
        """Work until closed, or until no client has connected for long."""
        address = RAY.util.get_node_ip_address()
        client_host = address if listen == "-" else listen
        listener, client_port = await self._listen(client_host, port)
        listeners = [listener]
        if client_host == address:
            port = client_port
        else:
            other = await asyncio.start_server(self.server.connected, address, 0, limit=1 << 20)
            port = other.sockets[0].getsockname()[1]
            listeners.append(other)
        self._pool.agent_arguments = address, port, self._key.hex(), self._study
        _print_line(f"postertui: listening on {client_host} {client_port}")
        describing = asyncio.create_task(self._describe_nodes())
        try:
            while not self._is_finished():
                self._wake.clear()
                self._work(time.monotonic())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK):
                        await self._wake.wait()
        finally:
            describing.cancel()
            self._pool.cancel_all()
            for listener in listeners:
                listener.close()
            await self.server.drain()

    async def _listen(self, host: str, port: int) -> tuple[asyncio.Server, int]:
        for candidate in range(port, port + PORTS):
            with contextlib.suppress(OSError):
                listener = await asyncio.start_server(
                    self.server.connected, host, candidate, limit=1 << 20
                )
                return listener, candidate
        raise UserError(f"{host}: none of the ports {port} to {port + PORTS - 1} is free")

    def _is_finished(self) -> bool:
        server, scheduler = self.server, self.scheduler
        if scheduler.closing:
            closing = time.monotonic() - server.client_gone_since
            return not any(a.run for a in scheduler.agents.values()) or closing > CLOSE_PATIENCE
        if server.has_client:
            return False
        patience = KEEP_ALIVE_WITH_RUNS if scheduler.runs else KEEP_ALIVE_EMPTY
        return time.monotonic() - server.client_gone_since > patience

    def _work(self, now: float) -> None:
        """One pass: lost agents, runs to assign, messages to send, agents to ask for."""
        if now - self._last_pass > FROZEN_AFTER:
            # This process stood still: that nothing was received in between means nothing.
            for agent in self.scheduler.agents.values():
                agent.last_message = now
        self._last_pass = now
        for silent in self.scheduler.expire(now, self._silence, IDLE):
            self.scheduler.lose_agent(silent, now)
            self.server.disconnect(silent)
        self.scheduler.assign_runs(now)
        self.server.flush()
        self._pool.adjust(now)
        self._send_status(self.scheduler.status())

    def _send_status(self, status: WorkStatus) -> None:
        if status != self.server.sent_status:
            self.server.sent_status = status
            self.server.send(CLIENT, status)

    async def _describe_nodes(self) -> None:
        self.server.set_nodes(await describe_nodes())


def _print_line(text: str) -> None:
    """On the Ray job's log, where clients look for the port."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Schedule a study's runs on the cluster that this runs on; the exit code."""
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
        _print_line(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
