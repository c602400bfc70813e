"""Which waiting run each agent that is ready trains next."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Mapping

from postertui.supervisor.backends.ray.agent_messages import JoinRun, TrainRun
from postertui.supervisor.backends.ray.event_lines import join_lines
from postertui.supervisor.backends.ray.scheduler_state import ConnectedAgent, SubmittedRun
from postertui.supervisor.backends.ray.waiting_runs import WaitingRuns


class RunAssigner:
    """Gives the waiting ones of `runs` to the ready ones of `agents`, both of which it observes."""

    def __init__(
        self, runs: Mapping[str, SubmittedRun], agents: Mapping[str, ConnectedAgent]
    ) -> None:
        self._runs = runs
        self._agents = agents
        # By exclusiveness; None once a run has joined the queue or the order has changed.
        self._queues: dict[bool, WaitingRuns] | None = None

    def invalidate(self) -> None:
        """To be called when a run has joined the queue or the order has changed."""
        self._queues = None

    def assign(
        self, is_full: Callable[[str], bool]
    ) -> Iterator[tuple[str, JoinRun | TrainRun, bytes]]:
        """Assign what can be; the messages to agents with their blobs, in order.

        `is_full` says of a node whether it has no room on its disk.
        """
        ready = [
            (name, agent)
            for name, agent in self._agents.items()
            if agent.is_ready and not agent.is_stopping and not is_full(agent.facts.node)
        ]
        if not ready:
            return
        queues = self._queues = self._queues or self._make_queues()
        agents_by_genre = collections.Counter(a.genre for a in self._agents.values() if a.run)
        for name, agent in ready:
            run = queues[agent.exclusive].take(agent.facts.node, agent.genre, agents_by_genre)
            if run is None:
                continue
            first, *others = self._trained_with(run)
            entry = first.entry
            agents_by_genre[entry.genre] += 1
            agent.is_ready, agent.run, agent.genre = False, entry.run, entry.genre
            for each in (first, *others):
                each.agent, each.node = name, agent.facts.node
                agent.held.pop(each.entry.run, None)
            for other in others:
                join = JoinRun(other.entry.run, other.spec, other.has_data)
                yield name, join, join_lines(other.lines)
            message = TrainRun(
                entry.run, first.spec, entry.exclusive, first.has_data, code=first.code
            )
            yield name, message, join_lines(first.lines)

    def _make_queues(self) -> dict[bool, WaitingRuns]:
        return {
            exclusive: WaitingRuns.among(
                (run for run in self._runs.values() if run.together <= self._runs.keys()),
                exclusive=exclusive,
            )
            for exclusive in (False, True)
        }

    def _trained_with(self, run: SubmittedRun) -> list[SubmittedRun]:
        """The run and those that wait to be trained together with it, in the order of genres."""
        if not run.together:
            return [run]
        members = (self._runs[name] for name in run.together)
        waiting = [m for m in members if m.is_waiting and m.cancelled is None]
        return sorted(waiting, key=lambda m: m.entry.genre)
