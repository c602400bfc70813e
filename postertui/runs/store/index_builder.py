"""An index that grows: that of a folder's cache before it is written."""

from __future__ import annotations

import math
import zlib
from array import array
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.msgpack import encode

from postertui.runs.lifecycle import state_of_end
from postertui.runs.spec import RunSpec
from postertui.runs.store.identity import Reading
from postertui.runs.store.index import (
    CODES,
    ROW_BYTES,
    Index,
    StoredIndex,
    encode_index,
)
from postertui.runs.store.kinds import kind_of, parts_key
from postertui.runs.store.run import Run

if TYPE_CHECKING:
    from postertui.runs.store.columns import Rows

#: The newest epoch of a run without epochs.
EMPTY_ROW = bytes(ROW_BYTES)


class RowsInFile(NamedTuple):
    """The rows from `first` on in a file of epochs, with their CRC-32, and the last one's bytes."""

    first: int
    length: int
    checksum: int
    newest: bytes


def place_of(rows: Rows, first: int) -> RowsInFile:
    """What an index says of `rows`, contiguous, where they are in the file from `first` on."""
    newest = rows[-1].tobytes() if len(rows) else b""
    return RowsInFile(first, len(rows), zlib.crc32(rows.data), newest)


class NotEncodableError(ValueError):
    """A run of which the index cannot hold what its events say."""


class IndexBuilder(Index):
    """An index that can be read while it is put together.

    Parameters
    ----------
    epochs
        The file that the runs' epochs are in.
    before
        The index of that file that this one goes on with.
    """

    def __init__(self, epochs: str, before: Index) -> None:
        self._arrays: dict[str, array[Any]] = {name: array(code) for name, code in CODES.items()}
        self._newest_rows = array("d")
        columns, newest, self._event_bytes = before.content()
        for name, column in self._arrays.items():
            column.frombytes(columns[name])
        self._newest_rows.frombytes(newest)
        stored = StoredIndex(
            epochs=epochs,
            total=before.total,
            kinds=[*before.kinds],
            genres=[*before.genres],
            statuses=[*before.statuses],
            names=[*before.names],
            extra={**before.extra},
        )
        super().__init__(stored, {**self._arrays}, self._newest_rows, self._event_bytes)
        self._event_stops.extend(accumulate(map(add, *self._event_sizes)))
        self._kinds_by_content = {encode(kind): i for i, kind in enumerate(self.kinds)}
        # With a spec of each, so that no other's parts take the place of its own in memory.
        self._kinds_by_parts: dict[tuple[Any, ...], tuple[int, RunSpec]] = {}
        self._genre_numbers = {genre: i for i, genre in enumerate(self.genres)}
        self._status_numbers = {status: i for i, status in enumerate(self.statuses)}

    def add(self, run: Run, reading: Reading, rows: RowsInFile) -> int:
        """Add a closed run with its rows; its position. Raises `NotEncodableError`."""
        spec, lifecycle = run.spec, run.lifecycle
        assert spec is not None
        rates = (spec.train_base_rate, spec.test_base_rate, spec.val_base_rate)
        position = len(self.names)
        try:
            start, end = encode(lifecycle.start), encode(lifecycle.end)
            # In the order of `Entry`.
            numbers: tuple[Any, ...] = (
                *reading.identity.events,
                *reading.identity.spec,
                reading.lines,
                self._kind(spec),
                self._genre(spec.genre),
                self._status(str(lifecycle.status)),
                spec.seed,
                spec.created,
                *(math.nan if rate is None else rate for rate in rates),
                run.changed,
                rows.first,
                rows.length,
                rows.checksum,
                lifecycle.attempt,
                lifecycle.faults,
                lifecycle.needs_exclusive_device,
                lifecycle.format_version,
                len(start),
                len(end),
                "reason" in (lifecycle.end or {}),
            )
            for column, value in zip(self._arrays.values(), numbers, strict=True):
                column.append(value)
        except (
            OverflowError,
            TypeError,
            ValueError,
            RecursionError,
            msgspec.MsgspecError,
        ) as error:
            for column in self._arrays.values():
                del column[position:]
            raise NotEncodableError(run.name) from error
        self._event_bytes += start + end
        self._event_stops.append(len(self._event_bytes))
        self._newest_rows.frombytes(rows.newest or EMPTY_ROW)
        if run.buffer.extra is not None:
            self.extra[position] = run.buffer.extra
        self.names.append(run.name)
        self.total = max(self.total, rows.first + rows.length)
        return position

    def _kind(self, spec: RunSpec) -> int:
        """The position of the spec's kind."""
        parts = parts_key(spec)
        if parts not in self._kinds_by_parts:
            kind = kind_of(spec)
            number = self._kinds_by_content.setdefault(encode(kind), len(self.kinds))
            if number == len(self.kinds):
                self.kinds.append(kind)
            self._kinds_by_parts[parts] = number, spec
        return self._kinds_by_parts[parts][0]

    def _genre(self, genre: str) -> int:
        number = self._genre_numbers.setdefault(genre, len(self.genres))
        if number == len(self.genres):
            self.genres.append(genre)
        return number

    def _status(self, status: str) -> int:
        number = self._status_numbers.setdefault(status, len(self.statuses))
        if number == len(self.statuses):
            self.statuses.append(status)
            self.states.append(state_of_end(status))
        return number

    def encode(self) -> bytearray:
        """The content of the index's file."""
        return encode_index(
            StoredIndex(
                epochs=self.epochs,
                total=self.total,
                kinds=self.kinds,
                genres=self.genres,
                statuses=self.statuses,
                names=self.names,
                columns={n: memoryview(column).cast("B") for n, column in self._arrays.items()},
                events=memoryview(self._event_bytes),
                newest=memoryview(self._newest_rows).cast("B"),
                extra=self.extra,
            )
        )
