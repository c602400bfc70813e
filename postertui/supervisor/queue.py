"""Which run is next: by priority, then genre by genre, then as they were asked for."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class QueuedRun:
    """A run that waits.

    Attributes
    ----------
    run, genre
        Its name and genre.
    created
        When it was asked for, in seconds since 1970.
    priority
        Higher goes earlier.
    exclusive
        Whether it needs a device to itself.
    paused
        Whether it was asked to wait.
    unit
        Runs of one unit are trained together; empty for a run that is trained by itself.
    """

    run: str
    genre: str
    created: float
    priority: int = 0
    exclusive: bool = False
    paused: bool = False
    unit: str = ""


def in_order(waiting: Iterable[QueuedRun], current: str | None = None) -> list[QueuedRun]:
    """The runs in the order in which they are started; paused ones are left out.

    Genres follow each other as they were first asked for among those that wait, `current` (the
    genre of the newest run started) before the others, so that all variants of one genre can be
    compared before the next begins.
    """
    entries = [entry for entry in waiting if not entry.paused]
    first: dict[tuple[int, str], tuple[float, str]] = {}
    for entry in entries:
        key = (entry.priority, entry.genre)
        since = (entry.created, entry.genre)
        first[key] = min(first.get(key, since), since)
    return sorted(
        entries,
        key=lambda e: (
            -e.priority,
            e.genre != current,
            first[e.priority, e.genre],
            e.created,
            e.run,
        ),
    )


class RunQueue:
    """The runs that wait, by name. The first of `in_order` is found without sorting them all."""

    def __init__(self) -> None:
        self._entries: dict[str, QueuedRun] = {}
        # Each heap may hold entries that are gone or replaced; they leave it when they come up.
        self._heaps: dict[tuple[int, str], list[tuple[float, str, int, QueuedRun]]] = {}
        self._puts = itertools.count()
        self._units: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, run: object) -> bool:
        return run in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def get(self, run: str) -> QueuedRun | None:
        """The run's entry; None where it does not wait."""
        return self._entries.get(run)

    def put(self, entry: QueuedRun) -> None:
        """Add the entry, or replace the one of the same run."""
        if self._entries.get(entry.run) == entry:
            return
        self._entries[entry.run] = entry
        if entry.unit:
            self._units.setdefault(entry.unit, set()).add(entry.run)
        if not entry.paused:
            heap = self._heaps.setdefault((entry.priority, entry.genre), [])
            heapq.heappush(heap, (entry.created, entry.run, next(self._puts), entry))

    def remove(self, run: str) -> None:
        """Remove the run, if it waits."""
        entry = self._entries.pop(run, None)
        if entry is not None and entry.unit:
            self._units[entry.unit].discard(run)
            if not self._units[entry.unit]:
                del self._units[entry.unit]

    def together(self, entry: QueuedRun) -> list[QueuedRun]:
        """What is started with `entry`: those of its unit that wait, in the order of genres."""
        if not entry.unit:
            return [entry]
        entries = [self._entries[run] for run in self._units[entry.unit]]
        return sorted((e for e in entries if not e.paused), key=lambda e: e.genre)

    def first(self, current: str | None = None) -> QueuedRun | None:
        """The run to start next; None where all are paused, or there are none."""
        tops = []
        for key, heap in list(self._heaps.items()):
            while heap and self._entries.get(heap[0][1]) is not heap[0][-1]:
                heapq.heappop(heap)
            if heap:
                tops.append(heap[0][-1])
            else:
                del self._heaps[key]
        return min(
            tops, key=lambda e: (-e.priority, e.genre != current, e.created, e.genre), default=None
        )
