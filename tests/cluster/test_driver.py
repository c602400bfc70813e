"""When the driver goes, and what it says of a cluster that has no room; Ray itself is made up."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray")

from postertui.cluster import pool
from postertui.cluster.driver import ALONE, UNWANTED, Driver
from postertui.cluster.hub import Hub
from postertui.cluster.pool import PATIENCE, Pool
from postertui.cluster.share import Shares
from tests.cluster.test_hub import join, submit
from tests.supervisor.helpers import make_spec

HOUR = 3600.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the driver's clock shows."""
    now = [1000.0]
    fake = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("postertui.cluster.driver.time", fake)
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


async def test_no_room_on_the_cluster_is_said_until_there_is_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ray import exceptions

    asked: list[dict[str, Any]] = []

    def options(**given: Any) -> SimpleNamespace:
        """A task that never begins: both CPUs are somebody else's."""
        asked.append(given)
        never = SimpleNamespace(future=concurrent.futures.Future)
        return SimpleNamespace(remote=lambda *_: never)

    full = SimpleNamespace(
        cluster_resources=lambda: {"CPU": 2.0},
        remote=lambda _: SimpleNamespace(options=options),
        cancel=lambda _: None,
        exceptions=exceptions,
    )
    monkeypatch.setattr(pool, "ray", full)
    monkeypatch.setattr(pool, "RAY", full)
    hub = Hub()
    tasks = Pool(hub, Shares(), lambda: None)
    begin = time.monotonic()
    submit(hub, make_spec())
    tasks.ask(begin)
    assert [given["num_cpus"] for given in asked] == [1]
    tasks.ask(begin + PATIENCE - 1)
    assert hub.trouble is None
    tasks.ask(begin + PATIENCE + 1)
    assert hub.trouble == "no room on the cluster: 2 CPUs and 0 GPUs in all"
    # Nobody is asked for twice.
    assert len(asked) == 1
    waiters = asyncio.all_tasks() - {asyncio.current_task()}
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
