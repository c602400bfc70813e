"""What is asked of Ray: that agents run where there is room, and what the nodes are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from postertui.supervisor.backends.ray import task
from postertui.supervisor.backends.ray.hub import Hub
from postertui.supervisor.backends.ray.protocol import NodeFacts
from postertui.supervisor.backends.ray.share import Shares

#: Ray, whose functions are only partly typed.
RAY: Any = ray

#: At most so many agents are asked for before they are there.
PENDING = 64

#: How often Ray starts a task again whose worker or node is lost.
RETRIES = 3

#: Seconds without any agent after which the want of room is said.
PATIENCE = 20.0

#: Seconds for a node to say what it is.
DESCRIBE = 60.0


class _Task(NamedTuple):
    ref: Any
    alone: bool
    gpu: float


class Pool:
    """The Ray tasks of one driver; each is an agent on some node.

    `where` are the arguments of `task.work` that are the same for all. `changed` is called when a
    task has ended.
    """

    def __init__(self, hub: Hub, shares: Shares, changed: Callable[[], None]) -> None:
        self.where: tuple[str, int, str, str] = ("", 0, "", "")
        self._hub = hub
        self._shares = shares
        self._changed = changed
        self._tasks: dict[str, _Task] = {}
        self._waiters: set[asyncio.Task[None]] = set()
        # Tasks whose agent has come: one that was lost since is not on its way, though Ray may
        # take long to see that its node is gone.
        self._came: set[str] = set()
        self._count = 0
        self._failures = 0
        self._not_before = 0.0
        self._served = time.monotonic()

    def ask(self, now: float) -> None:
        """Have as many agents on their way as runs wait, and none where none does."""
        hub = self._hub
        if hub.closing:
            return
        gpus = RAY.cluster_resources().get("GPU", 0)
        for alone in (False, True):
            gpu = self._shares.gpu(alone=alone, on_cluster=gpus)
            self._give_up_others(alone=alone, gpu=gpu)
            pending = [
                each.ref
                for name, each in self._tasks.items()
                if each.alone == alone and name not in self._came
            ]
            waiting = 0 if hub.paused else hub.waiting(alone=alone)
            if hub.agents or (not waiting and not alone):
                self._served = now
            elif pending and now - self._served > PATIENCE and hub.trouble is None:
                cpus = RAY.cluster_resources().get("CPU", 0)
                hub.trouble = f"no room on the cluster: {cpus:.0f} CPUs and {gpus:.0f} GPUs in all"
            if not waiting:
                for ref in pending:
                    ray.cancel(ref)
                continue
            if now < self._not_before:
                continue
            wanted = min(waiting, PENDING) - len(pending)
            for _ in range(min(wanted, self._shares.room(len(self._tasks), gpus))):
                self._start(alone, gpu, now)

    def came(self, task: str) -> None:
        """The task's agent is there: whatever was in the way is no more."""
        self._came.add(task)
        self._failures = 0

    def cancel_all(self) -> None:
        for each in self._tasks.values():
            ray.cancel(each.ref)

    def _give_up_others(self, *, alone: bool, gpu: float) -> None:
        """End those on their way with another share of a GPU than runs get now: one may wait for
        the GPU of a node that is gone.
        """
        for name, each in list(self._tasks.items()):
            if each.alone == alone and each.gpu != gpu and name not in self._came:
                ray.cancel(self._tasks.pop(name).ref)

    def _start(self, alone: bool, gpu: float, now: float) -> None:
        self._count += 1
        name = f"t{self._count}"
        options: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpu, "max_retries": RETRIES}
        if full := self._hub.full_nodes(now):
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(full)})"}
        host, port, key, study = self.where
        work = ray.remote(task.work).options(**options)
        ref = work.remote(host, port, key, name, study, alone, gpu > 0)
        self._tasks[name] = _Task(ref, alone, gpu)
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
                self._hub.trouble = f"no agent stays up on the cluster: {last[:300]}"
        finally:
            self._tasks.pop(name, None)
            self._came.discard(name)
            self._changed()


async def describe_nodes() -> tuple[NodeFacts, ...]:
    """What each node that Ray has says of itself; a node that cannot, has a `problem`."""
    describe = ray.remote(task.describe)
    answers = []
    for node in RAY.nodes():
        if node["Alive"]:
            where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": where}
            answers.append(_answer(node, describe.options(**options).remote()))
    return tuple(await asyncio.gather(*answers))


async def _answer(node: dict[str, Any], ref: Any) -> NodeFacts:
    try:
        async with asyncio.timeout(DESCRIBE):
            told = await asyncio.wrap_future(ref.future())
        facts = msgspec.json.decode(told, type=NodeFacts)
        given = {"cpus": node["Resources"].get("CPU", 0), "shares": node["Resources"].get("GPU", 0)}
        return msgspec.structs.replace(facts, **given)
    except TimeoutError:
        problem = f"does not answer within {DESCRIBE:.0f} s"
    except Exception as error:
        problem = str(error).strip().splitlines()[-1][:200]
        if "No module named 'postertui" in str(error):
            problem = "has no postertui of this version; install it there"
    return NodeFacts(node=node["NodeID"], host=node["NodeManagerHostname"], problem=problem)
