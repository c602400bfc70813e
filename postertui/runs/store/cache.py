"""A cache of closed runs, so that starting does not mean reading everything again.

runs/.cache/index          the closed runs without their epochs, and what many of their specs share;
                           MessagePack, after its CRC-32
runs/.cache/epochs-<id>    their epochs, float64 rows of `COLUMNS`, one after the other; the index
                           has a CRC-32 of each run's
runs/.cache/lock           flock held while either is written

All of it can be deleted at any time. An entry is valid only while the run's files are the ones it
was made from. Rows are only ever added to an epochs file, or written to a new one, so that a
program that has mapped one can go on reading.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import secrets
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from postertui.runs import layout
from postertui.runs.epoch_line import COLUMNS, Extra
from postertui.runs.lifecycle import RunLifecycle
from postertui.runs.spec import RunSpec
from postertui.runs.store.columns import EpochBuffer, Rows
from postertui.runs.store.run import Run
from postertui.system.atomic_files import write_atomic
from postertui.system.locks import FileLock
from postertui.system.regular_files import open_regular, read_regular
from postertui.system.sharing import make_folder

INDEX = "index"

#: Changes when entries or columns do.
VERSION = "5 " + " ".join(COLUMNS)

_EPOCHS = re.compile(r"epochs-[0-9a-f]{16}")

_ROW_BYTES = 8 * len(COLUMNS)

_CHECKSUM_BYTES = 4

MAX_INDEX_BYTES = 1 << 30


#: Inode, size and time of change in nanoseconds.
FileIdentity = tuple[int, int, int]


class Identity(NamedTuple):
    """The content of a run's two files, as far as the file system tells."""

    events: FileIdentity
    spec: FileIdentity


class CachedRun(msgspec.Struct, array_like=True, gc=False):
    """A closed run. Its epochs are `rows` rows from `first` on; `lines` were read.

    Thousands of runs differ in little more than genre and seed: the rest of the spec is the index's
    `kinds[kind]`.
    """

    name: str
    identity: Identity
    lines: int
    kind: int
    genre: str
    seed: int
    created: float
    train_base_rate: float | None
    test_base_rate: float | None
    val_base_rate: float | None
    lifecycle: RunLifecycle
    changed: float
    first: int
    rows: int
    checksum: int
    extra: list[Extra] | None


class _Index(msgspec.Struct):
    version: str
    epochs: str
    total: int
    kinds: list[RunSpec]
    entries: list[CachedRun]

    @property
    def is_sound(self) -> bool:
        """Whether every entry's kind and rows are there."""
        return all(
            0 <= e.kind < len(self.kinds)
            and e.first >= 0
            and e.rows >= 0
            and e.first + e.rows <= self.total
            for e in self.entries
        )


def kind_of(spec: RunSpec) -> RunSpec:
    """`spec` without what a `CachedRun` holds of it."""
    return replace(
        spec,
        genre="",
        seed=0,
        created=0.0,
        train_base_rate=None,
        test_base_rate=None,
        val_base_rate=None,
    )


def spec_of(kind: RunSpec, own: CachedRun | RunSpec) -> RunSpec:
    """The spec whose `kind_of` is `kind`; `own` says the rest. Thousands share one kind's parts."""
    return replace(
        kind,
        genre=sys.intern(own.genre),
        seed=own.seed,
        created=own.created,
        train_base_rate=own.train_base_rate,
        test_base_rate=own.test_base_rate,
        val_base_rate=own.val_base_rate,
    )


class Cache:
    """The cached runs of one runs folder. Reading and writing it never fail, only miss."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / layout.CACHE
        self._index = _Index(VERSION, "", 0, [], [])
        self._rows: Rows = np.empty((0, len(COLUMNS)))
        self._memory: mmap.mmap | None = None

    def load(self) -> dict[str, CachedRun]:
        """The entries by run."""
        try:
            index = self._read_index()
            if index.version != VERSION or not _EPOCHS.fullmatch(index.epochs):
                return {}
            self._map(self._folder / index.epochs, index.total)
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
            return {}
        if not index.is_sound:
            return {}
        self._index = index
        return {entry.name: entry for entry in index.entries}

    def _read_index(self) -> _Index:
        """The index on disk. Raises `ValueError` where it is not the one that was written."""
        data = read_regular(self._folder / INDEX, MAX_INDEX_BYTES)
        checksum, content = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
        if zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
            raise ValueError("damaged index")
        return msgspec.msgpack.decode(content, type=_Index)

    def _map(self, path: Path, total: int) -> None:
        if not total:
            return
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            size = total * _ROW_BYTES
            self._memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        rows = np.frombuffer(self._memory, dtype=np.float64)
        self._rows = rows.reshape(total, len(COLUMNS))

    def release_pages(self) -> None:
        """Give the epochs' pages back to the system, which reads them again where needed."""
        if self._memory is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED)

    def run(self, entry: CachedRun) -> Run | None:
        """The run of one of the loaded entries; None where its rows are not those written."""
        spec = spec_of(self._index.kinds[entry.kind], entry)
        rows = self._rows[entry.first : entry.first + entry.rows]
        if zlib.crc32(rows.data) != entry.checksum:
            return None
        return Run(
            name=entry.name,
            spec=spec,
            # Not copied: an entry whose run goes on is not the run's any more, by its identity.
            lifecycle=entry.lifecycle,
            changed=entry.changed,
            buffer=EpochBuffer(rows, entry.extra),
        )

    def save(self, runs: Iterable[tuple[Run, Identity, int]]) -> None:
        """Cache these closed runs: each with its identity and the lines read."""
        with contextlib.suppress(OSError):
            make_folder(self._folder)
            if self._folder.is_symlink():
                return
            with FileLock(self._folder / layout.LOCK) as lock:
                if lock.acquire(patience=0):
                    self._save(list(runs))

    def _save(self, runs: list[tuple[Run, Identity, int]]) -> None:
        cached = {entry.name: entry for entry in self._index.entries}
        kept: list[CachedRun] = []
        fresh: list[tuple[Run, Identity, int]] = []
        for run, identity, lines in runs:
            entry = cached.get(run.name)
            if entry is not None and entry.identity == identity:
                kept.append(entry)
            elif run.spec is not None and _is_encodable(run):
                fresh.append((run, identity, lines))
        held = sum(entry.rows for entry in kept)
        path = self._folder / self._index.epochs
        # Another program may have replaced the index, or most rows may be of runs that changed.
        if not self._is_current() or 2 * held < self._index.total:
            fresh = [r for r in runs if r[0].spec is not None and _is_encodable(r[0])]
            path = self._folder / f"epochs-{secrets.token_hex(8)}"
            index = _Index(VERSION, path.name, 0, [], [])
        else:
            index = replace(self._index, kinds=[*self._index.kinds], entries=kept)
        try:
            _append(path, index, fresh)
            content = msgspec.msgpack.encode(index)
            checksum = zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big")
            write_atomic(self._folder / INDEX, checksum + content)
        except OSError:
            if path.name != self._index.epochs:
                path.unlink(missing_ok=True)
            raise
        self._index = index
        for old in self._folder.glob("epochs-*"):
            if old.name != path.name:
                old.unlink(missing_ok=True)

    def _is_current(self) -> bool:
        """Whether the index on disk is the one that was loaded."""
        try:
            stored = self._read_index()
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
            return False
        mine = self._index
        return (stored.version, stored.epochs, stored.total) == (VERSION, mine.epochs, mine.total)


def _is_encodable(run: Run) -> bool:
    """Whether the cache can hold what the run's events say in fields that this version ignores."""
    try:
        msgspec.msgpack.encode(run.lifecycle)
    except (OverflowError, ValueError, RecursionError, msgspec.MsgspecError):
        return False
    return True


def _append(path: Path, index: _Index, fresh: list[tuple[Run, Identity, int]]) -> None:
    """Write the runs' rows after the first `index.total` ones of `path`, and add their entries."""
    kinds = {msgspec.msgpack.encode(kind): i for i, kind in enumerate(index.kinds)}
    fd = open_regular(path, os.O_RDWR | os.O_CREAT)
    with os.fdopen(fd, "r+b") as file:
        file.seek(index.total * _ROW_BYTES)
        for run, identity, lines in fresh:
            assert run.spec is not None
            kind = kind_of(run.spec)
            number = kinds.setdefault(msgspec.msgpack.encode(kind), len(index.kinds))
            if number == len(index.kinds):
                index.kinds.append(kind)
            rows = np.ascontiguousarray(run.buffer.rows())
            file.write(rows.data)
            index.entries.append(
                CachedRun(
                    name=run.name,
                    identity=identity,
                    lines=lines,
                    kind=number,
                    genre=run.spec.genre,
                    seed=run.spec.seed,
                    created=run.spec.created,
                    train_base_rate=run.spec.train_base_rate,
                    test_base_rate=run.spec.test_base_rate,
                    val_base_rate=run.spec.val_base_rate,
                    lifecycle=run.lifecycle,
                    changed=run.changed,
                    first=index.total,
                    rows=len(rows),
                    checksum=zlib.crc32(rows.data),
                    extra=run.buffer.extra,
                )
            )
            index.total += len(rows)
        file.flush()
        # The index must not be on disk before the rows that it refers to.
        os.fdatasync(file.fileno())
