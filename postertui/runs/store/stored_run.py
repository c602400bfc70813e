"""A closed run of a folder's cache, of which nothing is unpacked until it is looked at."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from postertui.runs.epoch_line import COLUMN_INDEX
from postertui.runs.lifecycle import RunLifecycle, State
from postertui.runs.notes import Note
from postertui.runs.spec import RunSpec
from postertui.runs.store.buffer import EpochBuffer
from postertui.runs.store.identity import Identity, Reading
from postertui.runs.store.index import Index
from postertui.runs.store.run import Milestones, Run
from postertui.runs.store.stored_lifecycle import StoredLifecycle, StoredMilestones
from postertui.runs.store.stored_rows import RowSource, StoredRows, python_value


class StoredRun(Run):
    """The run at `position` of `index`, whose epochs are in `source`.

    It is a `Run` like any other, of which there may be tens of thousands: `spec`, `lifecycle` and
    `buffer` are made when they are asked for, and what a list of runs shows of each is read from
    the index until then. What is the same for all of them is the class's until it changes.
    """

    # Without slots: an attribute takes no memory before it is set.

    features = None
    locked = cancelling = held = False
    damage = None
    is_newer = is_unreadable = False
    note = Note()

    _spec: RunSpec | None = None
    _lifecycle: RunLifecycle | None = None
    _buffer: EpochBuffer | None = None
    _changed: float | None = None

    def __init__(self, name: str, index: Index, position: int, source: RowSource) -> None:
        self.name = name
        self._index, self._position, self._source = index, position, source

    @property
    def reading(self) -> Reading:
        """How far its files were read when it was stored."""
        entry = self._index.entry(self._position)
        return Reading(entry.identity, entry.events_size, entry.lines)

    @property
    def identity(self) -> Identity:
        """The files that it was read from."""
        return self._index.identity(self._position)

    def is_of(self, index: Index) -> bool:
        """Whether it is an entry of `index`."""
        return self._index is index

    @property
    def spec(self) -> RunSpec:  # type: ignore[override]
        if self._spec is None:
            index, columns, position = self._index, self._index.columns, self._position
            self._spec = replace(
                index.kinds[index.kind[position]],
                genre=index.genres[columns["genre"][position]],
                seed=columns["seed"][position],
                created=index.created[position],
                train_base_rate=_optional(columns["train_base_rate"][position]),
                test_base_rate=_optional(columns["test_base_rate"][position]),
                val_base_rate=_optional(columns["val_base_rate"][position]),
            )
        return self._spec

    @property
    def lifecycle(self) -> RunLifecycle:  # type: ignore[override]
        if self._lifecycle is None:
            self._lifecycle = StoredLifecycle(self._index, self._position)
        return self._lifecycle

    @property
    def buffer(self) -> EpochBuffer:  # type: ignore[override]
        if self._buffer is None:
            count = self._index.rows[self._position]
            stored = StoredRows(self._source, self._position, count) if count else None
            self._buffer = EpochBuffer(stored, self._index.extra.get(self._position))
        return self._buffer

    @property
    def changed(self) -> float:
        return self._index.changed[self._position] if self._changed is None else self._changed

    @changed.setter
    def changed(self, time: float) -> None:
        self._changed = time

    @property
    def state(self) -> State:
        if self._lifecycle is None and self.damage is None:
            index = self._index
            return index.states[index.status[self._position]]
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
    def is_waiting(self) -> bool:
        return self._lifecycle is not None and super().is_waiting

    @property
    def created(self) -> float:
        created: float = self._index.created[self._position]
        return created

    @property
    def milestones(self) -> Milestones | StoredMilestones:
        if self._lifecycle is None:
            return StoredMilestones(self._index, self._position)
        return super().milestones

    @property
    def planned_epochs(self) -> int:
        return self._index.kinds[self._index.kind[self._position]].variant.epochs

    @property
    def reason(self) -> str | None:
        is_untouched = self._lifecycle is None and self.damage is None
        if is_untouched and not self._index.has_reason[self._position]:
            return None
        return super().reason

    @property
    def _is_at_stored_epoch(self) -> bool:
        """Whether the index has its newest epoch: it has not gone on."""
        return self._buffer is None or self._buffer.stored is not None

    @property
    def epoch(self) -> int:
        if not self._is_at_stored_epoch:
            return super().epoch
        position = self._position
        if not self._index.rows[position]:
            return 0
        return int(self._index.newest_value(position, COLUMN_INDEX["epoch"]))

    def newest(self, metric: str) -> Any:
        column = COLUMN_INDEX.get(metric)
        if column is not None and self._is_at_stored_epoch and self._index.rows[self._position]:
            return python_value(metric, self._index.newest_value(self._position, column))
        return super().newest(metric)


def _optional(rate: float) -> float | None:
    return None if rate != rate else rate
