"""Runs and agents as the driver knows them, and which run suits which agent."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from postertui.supervisor.backends.ray.protocol import Beat, Ended, Line, NodeFacts
from postertui.supervisor.queue import Entry


@dataclass
class Run:
    """A run that was submitted. `holder` is the agent that has it, `node` the last that had it."""

    entry: Entry
    spec: msgspec.Raw
    has_data: bool
    lines: list[Line] = field(default_factory=list)
    holder: str | None = None
    node: str | None = None
    losses: int = 0
    log: bytes = b""
    cancelled: float | None = None
    ended: Ended | None = None

    @property
    def waits(self) -> bool:
        return self.holder is None and self.ended is None


@dataclass
class Worker:
    """A connected agent."""

    facts: NodeFacts
    task: str
    alone: bool
    held: dict[str, int]
    run: str | None = None
    genre: str | None = None
    is_ready: bool = False
    is_leaving: bool = False
    retires: bool = False
    idle_since: float = 0.0
    heard: float = 0.0
    beat: Beat | None = None


class Queue:
    """Runs that wait, in order, for agents that come one after the other."""

    def __init__(self, runs: list[Run]) -> None:
        groups = itertools.groupby(runs, key=lambda run: run.entry.priority)
        self._groups = collections.deque(list(group) for _, group in groups)
        self._out: set[str] = set()
        self._begin()

    def take(self, node: str, genre: str | None, taken: Mapping[str | None, int]) -> Run | None:
        """The run that suits an agent, of those with the highest priority; None when all are out.

        One whose files the node has, then one of the agent's genre, then one of a genre that
        nobody works on (`taken` counts who does), then the first.
        """
        while self._groups:
            free = (g for g in self._by_genre if not taken.get(g) and self._by_genre[g])
            for choice in (
                self._by_node.get(node),
                self._by_genre.get(genre or ""),
                self._by_genre.get(next(free, "")),
                self._runs,
            ):
                while choice:
                    run = choice.popleft()
                    # It may have been given out by another choice, cancelled or forgotten.
                    if run.waits and run.cancelled is None and run.entry.run not in self._out:
                        self._out.add(run.entry.run)
                        return run
            self._groups.popleft()
            self._begin()
        return None

    def _begin(self) -> None:
        self._runs = collections.deque(self._groups[0] if self._groups else [])
        self._by_node: dict[str, collections.deque[Run]] = {}
        self._by_genre: dict[str, collections.deque[Run]] = {}
        for run in self._runs:
            if run.node is not None:
                self._by_node.setdefault(run.node, collections.deque()).append(run)
            self._by_genre.setdefault(run.entry.genre, collections.deque()).append(run)
