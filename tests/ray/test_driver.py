"""When the driver goes, and what it says of a cluster that has no room; Ray itself is made up."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

pytest.importorskip("ray")

from ray import exceptions

from postertui.supervisor.backends.ray import agent_pool
from postertui.supervisor.backends.ray.agent_pool import ROOM_PATIENCE, AgentPool
from postertui.supervisor.backends.ray.driver import (
    FROZEN_AFTER,
    KEEP_ALIVE_EMPTY,
    KEEP_ALIVE_WITH_RUNS,
    Driver,
)
from postertui.supervisor.backends.ray.gpu_shares import GpuShares
from postertui.supervisor.backends.ray.scheduler import Scheduler
from tests.support.ray_messages import join, submit
from tests.support.supervisor import make_spec

HOUR = 3600.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the driver's clock shows."""
    now = [1000.0]
    fake = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("postertui.supervisor.backends.ray.driver.time", fake)
    monkeypatch.setattr("postertui.supervisor.backends.ray.driver_server.time", fake)
    return now


def test_with_runs_the_driver_waits_for_its_client_for_days(clock: list[float]) -> None:
    driver = Driver("study", b"key")
    run = submit(driver.scheduler, make_spec())
    clock[0] += HOUR
    assert not driver._is_finished()
    # What it has trained meanwhile is kept for the client.
    join(driver.scheduler, "agent", now=clock[0])
    driver.scheduler.assign_runs(clock[0])
    assert driver.scheduler.runs[run].agent == "agent"
    clock[0] += KEEP_ALIVE_WITH_RUNS
    assert driver._is_finished()


def test_after_a_gap_in_its_own_clock_every_agent_has_its_whole_patience(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    driver = Driver("study", b"key")
    monkeypatch.setattr(driver._pool, "adjust", lambda _now: None)
    run = submit(driver.scheduler, make_spec())
    join(driver.scheduler, "agent", now=clock[0])
    driver._work(clock[0])
    for _ in range(3):
        clock[0] += 10 * driver._silence  # frozen, with what the agent sent meanwhile unread
        driver._work(clock[0])
        assert driver.scheduler.runs[run].agent == "agent"
    for _ in range(int(driver._silence / (FROZEN_AFTER / 2)) + 1):
        assert "agent" in driver.scheduler.agents
        clock[0] += FROZEN_AFTER / 2  # at work, and the agent is silent
        driver._work(clock[0])
    assert "agent" not in driver.scheduler.agents
    assert driver.scheduler.runs[run].agent is None


def test_without_runs_it_stays_a_little_while(clock: list[float]) -> None:
    driver = Driver("study", b"key")
    clock[0] += KEEP_ALIVE_EMPTY - 1
    assert not driver._is_finished()
    clock[0] += 2
    assert driver._is_finished()


class MadeUpRay:
    """Tasks that never begin, because all resources are taken."""

    def __init__(self, **resources: float) -> None:
        self.resources = resources
        self.asked: list[dict[str, Any]] = []
        self.futures: list[concurrent.futures.Future[None]] = []
        self.exceptions = exceptions

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, _task: object) -> SimpleNamespace:
        return SimpleNamespace(options=self._options)

    def _options(self, **given: Any) -> SimpleNamespace:
        return SimpleNamespace(remote=lambda *_: self._submit(given))

    def _submit(self, given: dict[str, Any]) -> SimpleNamespace:
        self.asked.append(given)
        future: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.futures.append(future)
        return SimpleNamespace(future=lambda: future)

    def cancel(self, ref: SimpleNamespace) -> None:
        if not ref.future().done():
            ref.future().set_exception(exceptions.TaskCancelledError())

    def on_their_way(self) -> list[float]:
        """The shares of a GPU of tasks that were not cancelled."""
        requests = zip(self.asked, self.futures, strict=True)
        return [given["num_gpus"] for given, future in requests if not future.done()]


@contextlib.asynccontextmanager
async def pool_of(cluster: MadeUpRay, scheduler: Scheduler) -> AsyncIterator[AgentPool]:
    with mock.patch.multiple(agent_pool, ray=cluster, RAY=cluster):
        yield AgentPool(scheduler, GpuShares(), lambda: None)
        waiters = asyncio.all_tasks() - {asyncio.current_task()}
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)


async def test_no_room_on_the_cluster_is_reported() -> None:
    scheduler, full = Scheduler(), MadeUpRay(CPU=2.0)
    begin = time.monotonic()
    submit(scheduler, make_spec())
    async with pool_of(full, scheduler) as tasks:
        tasks.adjust(begin)
        assert [given["num_cpus"] for given in full.asked] == [1]
        tasks.adjust(begin + ROOM_PATIENCE - 1)
        assert scheduler.blocking_reason is None
        tasks.adjust(begin + ROOM_PATIENCE + 1)
        assert scheduler.blocking_reason == "no room on the cluster: 2 CPUs and 0 GPUs in all"
        # No agent is requested twice.
        assert len(full.asked) == 1


async def test_a_task_waiting_for_a_vanished_gpu_is_replaced() -> None:
    """Ray sees late that a node is lost, and until then its GPUs count."""
    scheduler, cluster = Scheduler(), MadeUpRay(CPU=2.0, GPU=1.0)
    begin = time.monotonic()
    submit(scheduler, make_spec("Comedy"))
    submit(scheduler, make_spec("Drama"))
    async with pool_of(cluster, scheduler) as tasks:
        tasks.adjust(begin)
        assert cluster.on_their_way() == [1.0, 1.0]
        del cluster.resources["GPU"]
        tasks.adjust(begin + 1)
        assert cluster.on_their_way() == [0.0, 0.0]
        tasks.adjust(begin + 2)
        assert cluster.on_their_way() == [0.0, 0.0]
        cluster.resources["GPU"] = 1.0
        tasks.adjust(begin + 3)
        assert cluster.on_their_way() == [1.0, 1.0]
