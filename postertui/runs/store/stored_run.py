"""A closed run of a folder's cache, of which nothing is unpacked until it is looked at."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from postertui.runs.epoch_line import COLUMNS
from postertui.runs.lifecycle import RunLifecycle, State, state_of_end
from postertui.runs.notes import Note
from postertui.runs.spec import RunSpec
from postertui.runs.store.columns import NO_ROWS, EpochBuffer, RowSource, StoredRows, python_value
from postertui.runs.store.identity import Identity
from postertui.runs.store.index import Index
from postertui.runs.store.run import Milestones, Run
from postertui.runs.store.stored_lifecycle import StoredLifecycle, StoredMilestones

_COLUMN = {name: i for i, name in enumerate(COLUMNS)}
_NO_NOTE = Note()


class StoredRun(Run):
    """The run at `position` of `index`, whose epochs are in `source`.

    It is a `Run` like any other: `spec`, `lifecycle` and `buffer` are made when they are asked for,
    and what a list of runs shows of each is read from the index until then.

    Attributes
    ----------
    identity
        The files that the run was read from.
    lines
        How many lines were read of its events.
    """

    __slots__ = (
        "_buffer", "_created", "_index", "_kind", "_lifecycle", "_position", "_rows", "_source",
        "_spec", "_status", "identity", "lines",
    )  # fmt: skip

    def __init__(self, name: str, index: Index, position: int, source: RowSource) -> None:
        (
            events_inode, events_size, events_time, spec_inode, spec_size, spec_time,
            self.lines, self._kind, self._status, self._created, self.changed, self._rows,
        ) = index.summary(position)  # fmt: skip
        self.identity = Identity(
            (events_inode, events_size, events_time), (spec_inode, spec_size, spec_time)
        )
        self.name = name
        self._index, self._position, self._source = index, position, source
        self._spec: RunSpec | None = None
        self._lifecycle: RunLifecycle | None = None
        self._buffer: EpochBuffer | None = None
        self.features = None
        self.locked = self.cancelling = self.held = False
        self.damage, self.is_newer, self.is_unreadable = None, False, False
        self.note = _NO_NOTE

    @property
    def spec(self) -> RunSpec:  # type: ignore[override]
        if self._spec is None:
            index, entry = self._index, self._index.entry(self._position)
            self._spec = replace(
                index.kinds[entry.kind],
                genre=index.genres[entry.genre],
                seed=entry.seed,
                created=entry.created,
                train_base_rate=_optional(entry.train_base_rate),
                test_base_rate=_optional(entry.test_base_rate),
                val_base_rate=_optional(entry.val_base_rate),
            )
        return self._spec

    @property
    def lifecycle(self) -> RunLifecycle:  # type: ignore[override]
        if self._lifecycle is None:
            entry = self._index.entry(self._position)
            self._lifecycle = StoredLifecycle(self._index, self._position, entry)
        return self._lifecycle

    @property
    def buffer(self) -> EpochBuffer:  # type: ignore[override]
        if self._buffer is None:
            stored = StoredRows(self._source, self._position, self._rows) if self._rows else NO_ROWS
            self._buffer = EpochBuffer(stored, self._index.extra.get(self._position))
        return self._buffer

    @property
    def state(self) -> State:
        if self._lifecycle is None and self.damage is None:
            return state_of_end(self._index.statuses[self._status])
        return super().state

    @property
    def standing(self) -> str:
        # What a closed run was asked for does not show.
        return self.state if self._lifecycle is None and self.damage is None else super().standing

    @property
    def is_closed(self) -> bool:
        return self._lifecycle is None or super().is_closed

    @property
    def is_started(self) -> bool:
        return self._lifecycle is not None and super().is_started

    @property
    def created(self) -> float:
        return self._created

    @property
    def milestones(self) -> Milestones | StoredMilestones:
        if self._lifecycle is None:
            return StoredMilestones(self._index, self._position)
        return super().milestones

    @property
    def planned_epochs(self) -> int:
        return self._index.kinds[self._kind].variant.epochs

    @property
    def reason(self) -> str | None:
        is_untouched = self._lifecycle is None and self.damage is None
        if is_untouched and not self._index.has_reason(self._position):
            return None
        return super().reason

    @property
    def epoch(self) -> int:
        if self._buffer is None:
            return int(self._index.newest_value(self._position, 0)) if self._rows else 0
        return super().epoch

    def newest(self, metric: str) -> Any:
        column = _COLUMN.get(metric)
        if self._buffer is None and self._rows and column is not None:
            return python_value(metric, self._index.newest_value(self._position, column))
        return super().newest(metric)


def _optional(rate: float) -> float | None:
    return None if rate != rate else rate
