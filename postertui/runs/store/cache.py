"""A cache of closed runs, so that starting does not mean reading everything again.

runs/.cache/index          the closed runs without their epochs (see `index.py`)
runs/.cache/epochs-<id>    their epochs, float64 rows of `COLUMNS`, one after the other; the index
                           has a CRC-32 of each run's
runs/.cache/lock           flock held while either is written; a new epochs file that no index
                           names yet belongs to the reader that made it (see `spool.py`)

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
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from postertui.runs import layout
from postertui.runs.epoch_line import COLUMNS
from postertui.runs.store.columns import Rows
from postertui.runs.store.identity import FileIdentity, Identity
from postertui.runs.store.index import (
    EMPTY,
    ROW_BYTES,
    Index,
    decode_index,
)
from postertui.runs.store.index_builder import IndexBuilder, NotEncodableError
from postertui.runs.store.run import Run
from postertui.runs.store.spool import EpochSpool, RowsInFile
from postertui.runs.store.stored_run import StoredRun
from postertui.system.atomic_files import write_atomic
from postertui.system.locks import FileLock
from postertui.system.regular_files import open_regular, read_regular
from postertui.system.sharing import make_folder

INDEX = "index"

_EPOCHS = re.compile(r"epochs-[0-9a-f]{16}")

MAX_INDEX_BYTES = 1 << 30


class CachedRuns:
    """The runs of one index, with their epochs as far as they are looked at."""

    def __init__(self, index: Index, folder: Path, reread: Callable[[str], Rows]) -> None:
        self._index = index
        self._reread = reread
        self.is_empty = not index.names
        self._positions = {name: position for position, name in enumerate(index.names)}
        self._memory: mmap.mmap | None = None
        self._rows: Rows = np.empty((0, len(COLUMNS)))
        if index.total:
            self._map(folder / index.epochs)

    def _map(self, path: Path) -> None:
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            size = self._index.total * ROW_BYTES
            self._memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        rows = np.frombuffer(self._memory, dtype=np.float64)
        self._rows = rows.reshape(self._index.total, len(COLUMNS))

    def release_pages(self) -> None:
        """Give the epochs' pages back to the system, which reads them again where needed."""
        if self._memory is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED)

    def find(self, name: str, events: FileIdentity) -> StoredRun | None:
        """The run whose file of events is as `events` says."""
        position = self._positions.get(name)
        if position is None:
            return None
        run = StoredRun(name, self._index, position, self)
        return run if run.identity.events == events else None

    def newest_row(self, position: int) -> memoryview[float]:
        return self._index.newest_row(position)

    def rows(self, position: int) -> Rows:
        entry = self._index.entry(position)
        rows = self._rows[entry.first : entry.first + entry.rows]
        if zlib.crc32(rows.data) != entry.checksum:
            return self._reread(self._index.names[position])
        return rows


class Cache:
    """The cache of one runs folder. Reading and writing it never fail, only miss.

    Parameters
    ----------
    reread
        Gives the epochs of the run of that name from its own files, for when those in the cache
        are not what was written.
    """

    def __init__(self, folder: Path, reread: Callable[[str], Rows]) -> None:
        self._folder = folder / layout.CACHE
        self._reread = reread
        self._spool: EpochSpool | None = None

    def load(self) -> CachedRuns:
        """The runs in the cache as it is now."""
        try:
            return CachedRuns(self._read_index(), self._folder, self._reread)
        except (OSError, ValueError):
            return CachedRuns(EMPTY, self._folder, self._reread)

    def _read_index(self) -> Index:
        """The index on disk. Raises `OSError` and `ValueError` where there is no sound one."""
        index = decode_index(read_regular(self._folder / INDEX, MAX_INDEX_BYTES))
        if not _EPOCHS.fullmatch(index.epochs):
            raise ValueError("an index that names another file")
        return index

    def spool(self) -> EpochSpool | None:
        """A file for the epochs of many runs that the cache lacks; None where there can be none."""
        with contextlib.suppress(OSError):
            make_folder(self._folder)
            if not self._folder.is_symlink():
                self._spool = EpochSpool(self._new_epochs_path(), self._reread)
        return self._spool

    def _new_epochs_path(self) -> Path:
        return self._folder / f"epochs-{secrets.token_hex(8)}"

    def save(self, runs: Iterable[tuple[Run, Identity, int]]) -> None:
        """Cache these closed runs and no others: each with its identity and the lines read."""
        with contextlib.suppress(OSError):
            make_folder(self._folder)
            if self._folder.is_symlink():
                return
            with FileLock(self._folder / layout.LOCK) as lock:
                if lock.acquire(patience=0):
                    self._save(list(runs))

    def _save(self, runs: list[tuple[Run, Identity, int]]) -> None:
        index = self._extensible_index()
        positions = {name: position for position, name in enumerate(index.names)}
        kept: list[int] = []
        fresh: list[tuple[Run, Identity, int]] = []
        held = 0
        for run, identity, lines in runs:
            position = positions.get(run.name)
            entry = None if position is None else index.entry(position)
            if position is not None and entry is not None and entry.identity == identity:
                kept.append(position)
                held += entry.rows
            elif run.spec is not None:
                fresh.append((run, identity, lines))
        if not index.epochs or 2 * held < index.total:
            # Most rows would be of runs that changed.
            kept, fresh, index = [], [r for r in runs if r[0].spec is not None], EMPTY
        is_new = not index.epochs
        path = self._new_epochs_path() if is_new else self._folder / index.epochs
        spool, self._spool = self._spool, None
        if spool is not None and is_new and _is_synchronised(spool):
            path = spool.path
        else:
            spool = None
        builder = IndexBuilder(path.name, index)
        try:
            for position in kept:
                builder.keep(position)
            _append(path, builder, fresh, spool)
            write_atomic(self._folder / INDEX, builder.encode())
        except OSError:
            if is_new:
                path.unlink(missing_ok=True)
            raise
        for old in self._folder.glob("epochs-*"):
            if old.name != path.name:
                old.unlink(missing_ok=True)

    def _extensible_index(self) -> Index:
        """The index on disk, where its file of epochs is whole; an empty one otherwise."""
        try:
            index = self._read_index()
            fd = open_regular(self._folder / index.epochs, os.O_RDONLY)
            try:
                is_whole = os.fstat(fd).st_size >= index.total * ROW_BYTES
            finally:
                os.close(fd)
        except (OSError, ValueError):
            return EMPTY
        return index if is_whole else EMPTY


def _is_synchronised(spool: EpochSpool) -> bool:
    """Whether all rows of `spool` are on disk, where another program may have removed it."""
    try:
        spool.sync()
    except OSError:
        return False
    return True


def _append(
    path: Path,
    builder: IndexBuilder,
    runs: list[tuple[Run, Identity, int]],
    spool: EpochSpool | None,
) -> None:
    """Add the runs, and write the rows that `spool` lacks after those that `path` has."""
    fd = open_regular(path, os.O_RDWR | os.O_CREAT)
    builder.total = max(builder.total, 0 if spool is None else spool.total)
    with os.fdopen(fd, "r+b") as file:
        file.seek(builder.total * ROW_BYTES)
        for run, identity, lines in runs:
            place = None if spool is None else spool.place_of(run.buffer)
            with contextlib.suppress(NotEncodableError):
                if place is not None:
                    builder.add(run, identity, lines, place)
                    continue
                rows = np.ascontiguousarray(run.buffer.rows())
                newest = rows[-1].tobytes() if len(rows) else b""
                place = RowsInFile(builder.total, len(rows), zlib.crc32(rows.data), newest)
                builder.add(run, identity, lines, place)
                file.write(rows.data)
        file.flush()
        # The index must not be on disk before the rows that it refers to.
        os.fdatasync(file.fileno())
