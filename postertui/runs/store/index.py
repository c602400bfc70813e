"""The index of a folder's cache: its closed runs without their epochs, packed by column.

Each number of a run is in a column with the other runs' same number, its newest epoch is a row of a
matrix, its newest start and end are pieces of MessagePack that are decoded when they are looked at:
tens of thousands of runs are read in the time that reading one file takes.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from itertools import accumulate
from operator import add
from typing import Any, NamedTuple, TypeAlias

import msgspec

from postertui.runs.epoch_line import COLUMNS, Extra
from postertui.runs.events import Event
from postertui.runs.lifecycle import State, state_of_end
from postertui.runs.spec import RunSpec
from postertui.runs.store.identity import FileIdentity, Identity

#: Changes when the form of the index or the columns do.
VERSION = f"7 {sys.byteorder} {' '.join(COLUMNS)}"

ROW_BYTES = 8 * len(COLUMNS)

_CHECKSUM_BYTES = 4


class Entry(NamedTuple):
    """What the index holds of a closed run in numbers.

    `lines` were read of its events. Its epochs are `rows` rows of the epochs file from `first` on.
    Its newest start and end take `start_bytes` and `end_bytes` of the index's events; `has_reason`
    is whether the end says why. `kind`, `genre` and `status` are positions in the index's lists. A
    base rate that is unknown is NaN.
    """

    events_inode: int
    events_size: int
    events_time: int
    spec_inode: int
    spec_size: int
    spec_time: int
    lines: int
    kind: int
    genre: int
    status: int
    seed: int
    created: float
    train_base_rate: float
    test_base_rate: float
    val_base_rate: float
    changed: float
    first: int
    rows: int
    checksum: int
    attempt: int
    faults: int
    needs_exclusive_device: int
    format_version: int
    start_bytes: int
    end_bytes: int
    has_reason: int

    @property
    def identity(self) -> Identity:
        return Identity(self[:3], self[3:6])


#: The columns' types, as `array` names them.
CODES: dict[str, Any] = dict(zip(Entry._fields, "QqqQqqQIIIqdddddQIIIIBqIIB", strict=True))

#: One number of every entry.
Column: TypeAlias = "memoryview[Any] | array[Any]"


class StoredIndex(msgspec.Struct):
    """The index as it is in the file; what is a `memoryview` is not copied when it is read."""

    version: str = VERSION
    epochs: str = ""
    total: int = 0
    kinds: list[RunSpec] = []
    genres: list[str] = []
    statuses: list[str] = []
    names: list[str] = []
    columns: dict[str, memoryview] = {}
    events: memoryview = memoryview(b"")
    newest: memoryview = memoryview(b"")
    extra: dict[int, list[Extra]] = {}


class Index:
    """The entries of one index, by position; `total` rows are in the file `epochs`.

    A name may have several entries, of which the last counts.
    """

    def __init__(
        self, stored: StoredIndex, columns: dict[str, Column], newest: Column, events: Any
    ) -> None:
        self.epochs, self.total = stored.epochs, stored.total
        self.kinds, self.genres, self.statuses = stored.kinds, stored.genres, stored.statuses
        self.names, self.extra = stored.names, stored.extra
        self.states: list[State] = [state_of_end(status) for status in stored.statuses]
        self.newest, self.columns, self._events = newest, columns, events
        self._event_sizes = columns["start_bytes"], columns["end_bytes"]
        self._event_stops = array("Q")
        # What a list of runs shows of each.
        self.kind, self.status, self.rows = columns["kind"], columns["status"], columns["rows"]
        self.created, self.changed = columns["created"], columns["changed"]
        self.has_reason = columns["has_reason"]
        self._inodes, self._sizes = columns["events_inode"], columns["events_size"]
        self._times = columns["events_time"]
        self._spec_columns = [columns[f"spec_{part}"] for part in ("inode", "size", "time")]

    def content(self) -> tuple[dict[str, memoryview], memoryview, bytearray]:
        """The bytes of its columns and newest epochs, and a copy of its events."""
        columns = {name: memoryview(column).cast("B") for name, column in self.columns.items()}
        return columns, memoryview(self.newest).cast("B"), bytearray(self._events)

    def entry(self, position: int) -> Entry:
        return Entry._make([column[position] for column in self.columns.values()])

    def identity(self, position: int) -> Identity:
        """The files that an entry was made from."""
        events = (self._inodes[position], self._sizes[position], self._times[position])
        spec_inode, spec_size, spec_time = self._spec_columns
        return Identity(events, (spec_inode[position], spec_size[position], spec_time[position]))

    def events_are(self, position: int, events: FileIdentity) -> bool:
        """Whether an entry was made from a file of events that is as `events` says."""
        inode, size, time = events
        return bool(
            self._times[position] == time
            and self._sizes[position] == size
            and self._inodes[position] == inode
        )

    def start(self, position: int) -> Event | None:
        """The newest start of the run."""
        first, between, _ = self._event_bounds(position)
        return _decode_event(self._events[first:between])

    def end(self, position: int) -> Event | None:
        """The newest end of the run."""
        _, between, stop = self._event_bounds(position)
        return _decode_event(self._events[between:stop])

    def _event_bounds(self, position: int) -> tuple[int, int, int]:
        """Where an entry's start begins, where it ends and the end begins, and where that ends."""
        stops, start, end = self._event_stops, *self._event_sizes
        if len(stops) <= position:
            # Not one by one: several threads may look at runs.
            stops = self._event_stops = array("Q", accumulate(map(add, start, end)))
        between = stops[position] - end[position]
        return between - start[position], between, stops[position]

    def place(self, position: int) -> tuple[int, int, int]:
        """The first row and the number of rows in the file of epochs, and their CRC-32."""
        columns = self.columns
        return columns["first"][position], self.rows[position], columns["checksum"][position]

    def newest_value(self, position: int, column: int) -> float:
        """A column of the newest epoch of an entry that has any."""
        value: float = self.newest[position * len(COLUMNS) + column]
        return value

    def newest_row(self, position: int) -> memoryview[float]:
        """The newest epoch (columns,) of an entry that has any, as floats."""
        first = position * len(COLUMNS)
        return memoryview(self.newest[first : first + len(COLUMNS)])

    def is_sound(self) -> bool:
        """Whether every entry's parts are there."""
        columns, count = self.columns, len(self.names)
        if any(len(column) != count for column in columns.values()):
            return False
        if len(self.newest) != count * len(COLUMNS):
            return False
        return not count or (
            max(columns["kind"]) < len(self.kinds)
            and max(columns["genre"]) < len(self.genres)
            and max(columns["status"]) < len(self.statuses)
            and max(map(add, columns["first"], columns["rows"])) <= self.total
            and sum(columns["start_bytes"]) + sum(columns["end_bytes"]) == len(self._events)
        )


EMPTY = Index(StoredIndex(), {name: array(code) for name, code in CODES.items()}, array("d"), b"")


def _decode_event(packed: bytes) -> Event | None:
    event: Event | None = msgspec.msgpack.decode(packed)
    return event


def encode_index(stored: StoredIndex) -> bytearray:
    """What `decode_index` reads: MessagePack after its CRC-32."""
    data = bytearray(_CHECKSUM_BYTES)
    msgspec.msgpack.Encoder().encode_into(stored, data, _CHECKSUM_BYTES)
    checksum = zlib.crc32(memoryview(data)[_CHECKSUM_BYTES:])
    data[:_CHECKSUM_BYTES] = checksum.to_bytes(_CHECKSUM_BYTES, "big")
    return data


def decode_index(data: bytes) -> Index:
    """The index in the content of a file. Raises `ValueError` where it is not one of this form."""
    checksum, content = data[:_CHECKSUM_BYTES], memoryview(data)[_CHECKSUM_BYTES:]
    if zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
        raise ValueError("a damaged index")
    try:
        if msgspec.msgpack.decode(content, type=_Header).version != VERSION:
            raise ValueError("an index of another version")
        stored = msgspec.msgpack.decode(content, type=StoredIndex)
        index = Index(
            stored,
            {name: stored.columns[name].cast(code) for name, code in CODES.items()},
            stored.newest.cast("d"),
            stored.events,
        )
    except (msgspec.MsgspecError, RecursionError, KeyError, TypeError) as error:
        raise ValueError("an index of another form") from error
    if not index.is_sound():
        raise ValueError("an index that is not whole")
    return index


class _Header(msgspec.Struct):
    version: str
