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

from postertui.supervisor.backends.ray import pool
from postertui.supervisor.backends.ray.driver import ALONE, UNWANTED, Driver
from postertui.supervisor.backends.ray.hub import Hub
from postertui.supervisor.backends.ray.pool import PATIENCE, Pool
from postertui.supervisor.backends.ray.share import Shares
from tests.ray.test_hub import join, submit
from tests.support.supervisor import make_spec

HOUR = 3600.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the driver's clock shows."""
    now = [1000.0]
    fake = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("postertui.supervisor.backends.ray.driver.time", fake)
    return now


def test_with_runs_the_driver_waits_for_its_client_for_days(clock: list[float]) -> None:
    driver = Driver("study", b"key")
    run = submit(driver.hub, make_spec())
    clock[0] += HOUR
    assert not driver._is_over()
    # What it has trained meanwhile is kept for the client.
    join(driver.hub, "agent", now=clock[0])
    driver.hub.hand_out(clock[0])
    assert driver.hub.runs[run].holder == "agent"
    clock[0] += ALONE
    assert driver._is_over()


def test_without_runs_it_stays_a_little_while(clock: list[float]) -> None:
    driver = Driver("study", b"key")
    clock[0] += UNWANTED - 1
    assert not driver._is_over()
    clock[0] += 2
    assert driver._is_over()


class MadeUpRay:
    """Tasks that never begin: what there is, is somebody else's."""

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
        asked = zip(self.asked, self.futures, strict=True)
        return [given["num_gpus"] for given, future in asked if not future.done()]


@contextlib.asynccontextmanager
async def pool_of(cluster: MadeUpRay, hub: Hub) -> AsyncIterator[Pool]:
    with mock.patch.multiple(pool, ray=cluster, RAY=cluster):
        yield Pool(hub, Shares(), lambda: None)
        waiters = asyncio.all_tasks() - {asyncio.current_task()}
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)


async def test_no_room_on_the_cluster_is_said_until_there_is_some() -> None:
    hub, full = Hub(), MadeUpRay(CPU=2.0)
    begin = time.monotonic()
    submit(hub, make_spec())
    async with pool_of(full, hub) as tasks:
        tasks.ask(begin)
        assert [given["num_cpus"] for given in full.asked] == [1]
        tasks.ask(begin + PATIENCE - 1)
        assert hub.trouble is None
        tasks.ask(begin + PATIENCE + 1)
        assert hub.trouble == "no room on the cluster: 2 CPUs and 0 GPUs in all"
        # Nobody is asked for twice.
        assert len(full.asked) == 1


async def test_who_waits_for_a_gpu_that_is_gone_is_asked_for_anew() -> None:
    """Ray sees late that a node is lost, and until then its GPUs count."""
    hub, cluster = Hub(), MadeUpRay(CPU=2.0, GPU=1.0)
    begin = time.monotonic()
    submit(hub, make_spec("Comedy"))
    submit(hub, make_spec("Drama"))
    async with pool_of(cluster, hub) as tasks:
        tasks.ask(begin)
        assert cluster.on_their_way() == [1.0, 1.0]
        del cluster.resources["GPU"]
        tasks.ask(begin + 1)
        assert cluster.on_their_way() == [0.0, 0.0]
        tasks.ask(begin + 2)
        assert cluster.on_their_way() == [0.0, 0.0]
        cluster.resources["GPU"] = 1.0
        tasks.ask(begin + 3)
        assert cluster.on_their_way() == [1.0, 1.0]
