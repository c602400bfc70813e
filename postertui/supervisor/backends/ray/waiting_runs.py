"""Which waiting run suits which agent."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Mapping

from postertui.supervisor.backends.ray.scheduler_state import SubmittedRun
from postertui.supervisor.queue import in_order


class WaitingRuns:
    """Waiting runs by priority, for agents that ask one after the other.

    It is built once for an order and then only taken from: O(1) per agent. Runs that have left
    the queue meanwhile (cancelled, forgotten, taken by another route) are skipped.
    """

    def __init__(self, runs: list[SubmittedRun]) -> None:
        groups = itertools.groupby(runs, key=lambda run: run.entry.priority)
        self._groups = collections.deque(list(group) for _, group in groups)
        self._taken: set[str] = set()
        self._index_first_group()

    @classmethod
    def among(cls, runs: Iterable[SubmittedRun], *, exclusive: bool) -> WaitingRuns:
        """Those of `runs` that wait, in the order of the queue."""
        waiting = {
            run.entry.run: run
            for run in runs
            if run.is_waiting and run.cancelled is None and run.entry.exclusive == exclusive
        }
        return cls([waiting[e.run] for e in in_order(r.entry for r in waiting.values())])

    def take(
        self, node: str, genre: str | None, agents_by_genre: Mapping[str | None, int]
    ) -> SubmittedRun | None:
        """The next run for an agent, of those with the highest priority; None when none is left.

        In this order: a run whose files the agent's `node` has; one of the agent's last `genre`;
        one of a genre that no agent trains (by `agents_by_genre`); the first.
        """
        while self._groups:
            idle_genres = (
                g for g in self._by_genre if not agents_by_genre.get(g) and self._by_genre[g]
            )
            for candidates in (
                self._by_node.get(node),
                self._by_genre.get(genre or ""),
                self._by_genre.get(next(idle_genres, "")),
                self._runs,
            ):
                while candidates:
                    run = candidates.popleft()
                    name = run.entry.run
                    if run.is_waiting and run.cancelled is None and name not in self._taken:
                        self._taken.add(name)
                        return run
            self._groups.popleft()
            self._index_first_group()
        return None

    def _index_first_group(self) -> None:
        self._runs = collections.deque(self._groups[0] if self._groups else [])
        self._by_node: dict[str, collections.deque[SubmittedRun]] = {}
        self._by_genre: dict[str, collections.deque[SubmittedRun]] = {}
        for run in self._runs:
            if run.node is not None:
                self._by_node.setdefault(run.node, collections.deque()).append(run)
            self._by_genre.setdefault(run.entry.genre, collections.deque()).append(run)
