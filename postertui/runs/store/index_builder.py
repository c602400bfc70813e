"""Putting together the index of a folder's cache."""

from __future__ import annotations

import math
import struct
from typing import Any

import msgspec
from msgspec.msgpack import encode

from postertui.runs.epoch_line import Extra
from postertui.runs.spec import RunSpec
from postertui.runs.store.identity import Identity
from postertui.runs.store.index import (
    EMPTY_ROW,
    Index,
    StoredIndex,
    encode_index,
    pack_entry,
)
from postertui.runs.store.kinds import kind_of, parts_key
from postertui.runs.store.run import Run
from postertui.runs.store.spool import RowsInFile


class NotEncodableError(ValueError):
    """A run of which the index cannot hold what its events say."""


class IndexBuilder:
    """An index that is put together entry by entry.

    Parameters
    ----------
    epochs
        The file that the runs' epochs are in.
    before
        The index of that file that this one goes on with, for which `keep` may be called.
    """

    def __init__(self, epochs: str, before: Index) -> None:
        self.epochs, self.total = epochs, before.total
        self._before = before
        self._kinds = [*before.kinds]
        self._kinds_by_content = {encode(kind): i for i, kind in enumerate(before.kinds)}
        self._kinds_by_parts: dict[tuple[Any, ...], int] = {}
        self._genres = {genre: i for i, genre in enumerate(before.genres)}
        self._statuses = {status: i for i, status in enumerate(before.statuses)}
        self._names: list[str] = []
        self._extra: dict[int, list[Extra]] = {}
        self._entries, self._events, self._newest = bytearray(), bytearray(), bytearray()

    def keep(self, position: int) -> None:
        """Take over an entry of the index before."""
        before = self._before
        entry = before.entry(position)
        moved = len(self._events) - entry.start
        self._events += before.packed_events(entry)
        self._entries += pack_entry(
            *entry._replace(
                start=entry.start + moved, end=entry.end + moved, end_stop=entry.end_stop + moved
            )
        )
        if position in before.extra:
            self._extra[len(self._names)] = before.extra[position]
        self._newest += before.newest_row(position).cast("B")
        self._names.append(before.names[position])

    def add(self, run: Run, identity: Identity, lines: int, rows: RowsInFile) -> None:
        """Add a closed run with its rows. Raises `NotEncodableError`."""
        spec, lifecycle = run.spec, run.lifecycle
        assert spec is not None
        try:
            start, end = encode(lifecycle.start), encode(lifecycle.end)
            first = len(self._events)
            entry = pack_entry(
                *identity.events,
                *identity.spec,
                lines,
                self._kind(spec),
                self._genres.setdefault(spec.genre, len(self._genres)),
                self._statuses.setdefault(str(lifecycle.status), len(self._statuses)),
                spec.seed,
                spec.created,
                *(
                    math.nan if rate is None else rate
                    for rate in (spec.train_base_rate, spec.test_base_rate, spec.val_base_rate)
                ),
                run.changed,
                rows.first,
                rows.length,
                rows.checksum,
                lifecycle.attempt,
                lifecycle.faults,
                lifecycle.needs_exclusive_device,
                lifecycle.format_version,
                first,
                first + len(start),
                first + len(start) + len(end),
            )
        except (
            OverflowError,
            ValueError,
            RecursionError,
            struct.error,
            msgspec.MsgspecError,
        ) as error:
            raise NotEncodableError(run.name) from error
        self._entries += entry
        self._events += start + end
        self._newest += rows.newest or EMPTY_ROW
        if run.buffer.extra is not None:
            self._extra[len(self._names)] = run.buffer.extra
        self._names.append(run.name)
        self.total = max(self.total, rows.first + rows.length)

    def _kind(self, spec: RunSpec) -> int:
        """The position of the spec's kind."""
        parts = parts_key(spec)
        if parts not in self._kinds_by_parts:
            kind = kind_of(spec)
            number = self._kinds_by_content.setdefault(encode(kind), len(self._kinds))
            if number == len(self._kinds):
                self._kinds.append(kind)
            self._kinds_by_parts[parts] = number
        return self._kinds_by_parts[parts]

    def encode(self) -> bytearray:
        """The content of the index's file."""
        return encode_index(
            StoredIndex(
                epochs=self.epochs,
                total=self.total,
                kinds=self._kinds,
                genres=list(self._genres),
                statuses=list(self._statuses),
                names=self._names,
                entries=memoryview(self._entries),
                events=memoryview(self._events),
                newest=memoryview(self._newest),
                extra=self._extra,
            )
        )
