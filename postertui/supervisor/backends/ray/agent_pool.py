"""Asks Ray to start agents where there is room, and what its nodes have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from postertui.supervisor.backends.ray import ray_tasks
from postertui.supervisor.backends.ray.agent_messages import NodeFacts
from postertui.supervisor.backends.ray.gpu_shares import GpuShares
from postertui.supervisor.backends.ray.scheduler import Scheduler
from postertui.system.text import pluralize

#: Ray, whose functions are only partly typed.
RAY: Any = ray

#: The most agents that are requested and not connected yet.
MAX_PENDING = 64

#: How often Ray restarts a task whose worker or node is lost.
RETRIES = 3

#: Seconds without any agent after which the lack of room is reported.
ROOM_PATIENCE = 20.0

#: Seconds for a node to send its facts.
DESCRIBE_SECONDS = 60.0


class _Task(NamedTuple):
    ref: Any
    exclusive: bool
    gpu: float


class AgentPool:
    """The Ray tasks of one driver; each is an agent on some node.

    Parameters
    ----------
    scheduler
        Knows how many runs wait; gets the reason why none can be trained.
    shares
        The share of a GPU that each task asks for.
    changed
        Called when a task has ended.

    Attributes
    ----------
    agent_arguments
        The first arguments of `ray_tasks.run_agent`: host, port, key, study.
    """

    def __init__(
        self, scheduler: Scheduler, shares: GpuShares, changed: Callable[[], None]
    ) -> None:
        self.agent_arguments: tuple[str, int, str, str] = ("", 0, "", "")
        self._scheduler = scheduler
        self._shares = shares
        self._changed = changed
        self._tasks: dict[str, _Task] = {}
        self._waiters: set[asyncio.Task[None]] = set()
        # Tasks whose agent has connected. One that was lost since is not pending, although Ray may
        # notice only late that its node is gone.
        self._connected: set[str] = set()
        self._count = 0
        self._failures = 0
        self._not_before = 0.0
        self._last_served = time.monotonic()

    def adjust(self, now: float) -> None:
        """Have as many agents pending as runs wait, and none where none does."""
        scheduler = self._scheduler
        if scheduler.closing:
            return
        gpus = RAY.cluster_resources().get("GPU", 0)
        for exclusive in (False, True):
            gpu = self._shares.gpu(exclusive=exclusive, on_cluster=gpus)
            self._cancel_outdated(exclusive=exclusive, gpu=gpu)
            pending = [
                each.ref
                for name, each in self._tasks.items()
                if each.exclusive == exclusive and name not in self._connected
            ]
            waiting = 0 if scheduler.paused else scheduler.count_waiting(exclusive=exclusive)
            if scheduler.agents or (not waiting and not exclusive):
                self._last_served = now
            elif (
                pending
                and now - self._last_served > ROOM_PATIENCE
                and scheduler.blocking_reason is None
            ):
                cpus = RAY.cluster_resources().get("CPU", 0)
                scheduler.blocking_reason = (
                    f"no room on the cluster: {pluralize(round(cpus), 'CPU')} "
                    f"and {pluralize(round(gpus), 'GPU')} in all"
                )
            if not waiting:
                for ref in pending:
                    ray.cancel(ref)
                continue
            if now < self._not_before:
                continue
            missing = min(waiting, MAX_PENDING) - len(pending)
            for _ in range(min(missing, self._shares.free_tasks(len(self._tasks), gpus))):
                self._start(exclusive, gpu, now)

    def mark_connected(self, task: str) -> None:
        """The task's agent has connected."""
        self._connected.add(task)
        self._failures = 0

    def cancel_all(self) -> None:
        for task in self._tasks.values():
            ray.cancel(task.ref)

    def _cancel_outdated(self, *, exclusive: bool, gpu: float) -> None:
        """Cancel pending tasks with another share of a GPU than runs get now.

        Such a task may wait for the GPU of a node that is gone.
        """
        for name, each in list(self._tasks.items()):
            if each.exclusive == exclusive and each.gpu != gpu and name not in self._connected:
                ray.cancel(self._tasks.pop(name).ref)

    def _start(self, exclusive: bool, gpu: float, now: float) -> None:
        self._count += 1
        name = f"t{self._count}"
        options: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpu, "max_retries": RETRIES}
        if full := self._scheduler.full_nodes.at(now):
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(full)})"}
        host, port, key, study = self.agent_arguments
        run_agent = ray.remote(ray_tasks.run_agent).options(**options)
        ref = run_agent.remote(host, port, key, name, study, exclusive, gpu > 0)
        self._tasks[name] = _Task(ref, exclusive, gpu)
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
                reason = f"no agent stays up on the cluster: {_last_line(error)}"
                self._scheduler.blocking_reason = reason
        finally:
            self._tasks.pop(name, None)
            self._connected.discard(name)
            self._changed()


async def describe_nodes() -> tuple[NodeFacts, ...]:
    """The facts of all of Ray's nodes; a node that does not send them has a `problem`."""
    describe = ray.remote(ray_tasks.describe_node)
    facts = []
    for node in RAY.nodes():
        if node["Alive"]:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": strategy}
            facts.append(_await_facts(node, describe.options(**options).remote()))
    return tuple(await asyncio.gather(*facts))


async def _await_facts(node: dict[str, Any], ref: Any) -> NodeFacts:
    try:
        async with asyncio.timeout(DESCRIBE_SECONDS):
            sent = await asyncio.wrap_future(ref.future())
        facts = msgspec.json.decode(sent, type=NodeFacts)
        resources = {
            "cpus": node["Resources"].get("CPU", 0),
            "gpu_slots": node["Resources"].get("GPU", 0),
        }
        return msgspec.structs.replace(facts, **resources)
    except TimeoutError:
        problem = f"does not answer within {DESCRIBE_SECONDS:.0f} s"
    except Exception as error:
        problem = _last_line(error)
        if "No module named 'postertui" in str(error):
            problem = "has no postertui of this version; install it there"
    return NodeFacts(node=node["NodeID"], host=node["NodeManagerHostname"], problem=problem)


def _last_line(error: Exception) -> str:
    """The end of an error's message, where Ray puts what went wrong on a node."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
