"""A closed run's lifecycle of which the events stay packed until they are looked at."""

from __future__ import annotations

from postertui.runs.events import Event
from postertui.runs.lifecycle import RunLifecycle
from postertui.runs.store.index import Index


class StoredMilestones:
    """The `Milestones` of the run at `position` of `index`, unpacked when they are looked at."""

    __slots__ = ("_index", "_position")

    def __init__(self, index: Index, position: int) -> None:
        self._index, self._position = index, position

    @property
    def attempt(self) -> int:
        attempt: int = self._index.columns["attempt"][self._position]
        return attempt

    @property
    def start(self) -> Event | None:
        return self._index.start(self._position)

    @property
    def end(self) -> Event | None:
        return self._index.end(self._position)


class StoredLifecycle(RunLifecycle):
    """The lifecycle of the run at `position` of `index`, whose newest milestone is its end."""

    __slots__ = ("_end", "_index", "_position", "_start", "_stored_status")

    def __init__(self, index: Index, position: int) -> None:
        self._index: Index | None = index
        self._position = position
        columns = index.columns
        self._stored_status = index.statuses[index.status[position]]
        self.attempt, self.faults = columns["attempt"][position], columns["faults"][position]
        self.needs_exclusive_device = bool(columns["needs_exclusive_device"][position])
        self.format_version = columns["format_version"][position]
        self.milestone = "end"

    def apply(self, event: Event) -> None:
        if self._index is not None:
            self._start, self._end = self.start, self.end
            self._index = None
        super().apply(event)

    @property
    def start(self) -> Event | None:
        return self._start if self._index is None else self._index.start(self._position)

    @start.setter
    def start(self, event: Event | None) -> None:
        self._start = event

    @property
    def end(self) -> Event | None:
        return self._end if self._index is None else self._index.end(self._position)

    @end.setter
    def end(self, event: Event | None) -> None:
        self._end = event

    @property
    def status(self) -> str | None:
        return super().status if self._index is None else self._stored_status
