"""Which run is next: by priority, then genre by genre, then as they were asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class QueuedRun:
    """A run that waits. `created` is when it was asked for; `exclusive`: with a device to itself.

    `paused`: it was asked to wait.
    """

    run: str
    genre: str
    created: float
    priority: int = 0
    exclusive: bool = False
    paused: bool = False


def in_order(waiting: Iterable[QueuedRun], current: str | None = None) -> list[QueuedRun]:
    """The runs in the order in which they are started.

    Genres follow each other as they were first asked for among those that wait, `current` (the
    genre of the newest run started) before the others, so that one genre's variants are all
    there to compare before the next begins.
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
