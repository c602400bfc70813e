"""The index of a folder's cache: its closed runs without their epochs, packed.

A run is a row of numbers, its newest epoch a row of a matrix, its newest start and end pieces of
MessagePack that are decoded when they are looked at: tens of thousands of runs are read in the
time that reading one file takes.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import msgspec
import numpy as np

from postertui.runs.epoch_line import COLUMNS, Extra
from postertui.runs.events import Event
from postertui.runs.spec import RunSpec
from postertui.runs.store.identity import Identity

#: Changes when the form of the index or the columns do.
VERSION = "6 " + " ".join(COLUMNS)

ROW_BYTES = 8 * len(COLUMNS)

#: The newest epoch of a run without epochs.
EMPTY_ROW = bytes(ROW_BYTES)

_CHECKSUM_BYTES = 4


class Entry(NamedTuple):
    """What the index holds of a closed run in numbers.

    `lines` were read of its events. Its epochs are `rows` rows of the epochs file from `first` on.
    Its newest start and end are the bytes from `start` to `end` and from there to `end_stop`.
    `kind`, `genre` and `status` are positions in the index's lists. A base rate that is unknown is
    NaN.
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
    start: int
    end: int
    end_stop: int

    @property
    def identity(self) -> Identity:
        return Identity(self[:3], self[3:6])


_ENTRY = struct.Struct("<QqqQqqqIIIqdddddqIIIIBqqqq")

pack_entry = _ENTRY.pack

#: Of an entry what a list of runs shows: identity, `lines`, `kind`, `status`, `created`, `changed`,
#: `rows`.
_SUMMARY = struct.Struct("<QqqQqqqI4xI8xd24xd8xI")

#: Of an entry `end` and `end_stop`, which are its last numbers.
_END = struct.Struct("<qq")

_NUMPY_CODES = {"Q": "<u8", "q": "<i8", "I": "<u4", "B": "u1", "d": "<f8"}
_NUMPY_ENTRY = np.dtype(
    [
        (name, _NUMPY_CODES[code])
        for name, code in zip(Entry._fields, _ENTRY.format.lstrip("<"), strict=True)
    ]
)


class StoredIndex(msgspec.Struct):
    """The index as it is in the file; what is a `memoryview` is not copied when it is read."""

    version: str = VERSION
    epochs: str = ""
    total: int = 0
    kinds: list[RunSpec] = []
    genres: list[str] = []
    statuses: list[str] = []
    names: list[str] = []
    entries: memoryview = memoryview(b"")
    events: memoryview = memoryview(b"")
    newest: memoryview = memoryview(b"")
    extra: dict[int, list[Extra]] = {}

    @property
    def is_sound(self) -> bool:
        """Whether every entry's parts are there."""
        count = len(self.names)
        if len(self.entries) != count * _ENTRY.size or len(self.newest) != count * ROW_BYTES:
            return False
        columns = np.frombuffer(self.entries, _NUMPY_ENTRY)
        return bool(
            (columns["kind"] < len(self.kinds)).all()
            and (columns["genre"] < len(self.genres)).all()
            and (columns["status"] < len(self.statuses)).all()
            and (columns["first"] >= 0).all()
            and (columns["first"] + columns["rows"] <= self.total).all()
            and (columns["start"] >= 0).all()
            and (columns["start"] <= columns["end"]).all()
            and (columns["end"] <= columns["end_stop"]).all()
            and (columns["end_stop"] <= len(self.events)).all()
        )


class Index:
    """The entries of one index, by position; `total` rows are in the file `epochs`."""

    def __init__(self, stored: StoredIndex) -> None:
        self.epochs, self.total = stored.epochs, stored.total
        self.kinds, self.genres, self.statuses = stored.kinds, stored.genres, stored.statuses
        self.names, self.extra = stored.names, stored.extra
        self._entries, self._events = stored.entries, stored.events
        self._newest = stored.newest.cast("d")

    def entry(self, position: int) -> Entry:
        return Entry._make(_ENTRY.unpack_from(self._entries, position * _ENTRY.size))

    def summary(
        self, position: int
    ) -> tuple[int, int, int, int, int, int, int, int, int, float, float, int]:
        """Of an entry what `_SUMMARY` says, for less."""
        return _SUMMARY.unpack_from(self._entries, position * _ENTRY.size)

    def start(self, position: int) -> Event | None:
        """The newest start of the run."""
        entry = self.entry(position)
        return _decode_event(self._events[entry.start : entry.end])

    def end(self, position: int) -> Event | None:
        """The newest end of the run."""
        entry = self.entry(position)
        return _decode_event(self._events[entry.end : entry.end_stop])

    def has_reason(self, position: int) -> bool:
        """Whether the newest end of the run may have a reason; without decoding it."""
        start, stop = _END.unpack_from(self._entries, (position + 1) * _ENTRY.size - _END.size)
        return b"reason" in bytes(self._events[start:stop])

    def newest_value(self, position: int, column: int) -> float:
        """A column of the newest epoch of an entry that has any."""
        return self._newest[position * len(COLUMNS) + column]

    def packed_events(self, entry: Entry) -> memoryview:
        """Its start and end as they are in the file."""
        return self._events[entry.start : entry.end_stop]

    def newest_row(self, position: int) -> memoryview[float]:
        """The newest epoch (columns,) of an entry that has any, as floats."""
        first = position * len(COLUMNS)
        return self._newest[first : first + len(COLUMNS)]


EMPTY = Index(StoredIndex())


def _decode_event(packed: memoryview) -> Event | None:
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
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("an index of another form") from error
    if not stored.is_sound:
        raise ValueError("an index that is not whole")
    return Index(stored)


class _Header(msgspec.Struct):
    version: str
