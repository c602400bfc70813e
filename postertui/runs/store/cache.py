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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.runs import layout
from postertui.runs.store.identity import Reading, file_identity, spec_identity
from postertui.runs.store.index import EMPTY, ROW_BYTES, Index, decode_index
from postertui.runs.store.listing import ListedRun, list_stored_runs
from postertui.runs.store.run import Run
from postertui.runs.store.stored_run import StoredRun
from postertui.system.atomic_files import write_atomic
from postertui.system.locks import FileLock
from postertui.system.regular_files import open_regular, read_regular
from postertui.system.sharing import make_folder

if TYPE_CHECKING:
    from postertui.runs.store.columns import Rows
    from postertui.runs.store.index_builder import IndexBuilder
    from postertui.runs.store.spool import EpochSpool

INDEX = "index"

_EPOCHS = re.compile(r"epochs-[0-9a-f]{16}")

MAX_INDEX_BYTES = 1 << 30

#: A closed run, and how far it was read; None for a `StoredRun` of which nothing was read since.
ReadRun = tuple[Run, Reading | None]


class CachedRuns:
    """The runs of one index, with their epochs as far as they are looked at."""

    def __init__(self, index: Index, folder: Path, reread: Callable[[str], Rows]) -> None:
        self._index = index
        self._reread = reread
        self.is_empty = not index.names
        self._positions = {name: position for position, name in enumerate(index.names)}
        self._memory: mmap.mmap | None = None
        if index.total:
            with os.fdopen(open_regular(folder / index.epochs, os.O_RDONLY), "rb") as file:
                size = index.total * ROW_BYTES
                self._memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)

    def release_pages(self) -> None:
        """Give the epochs' pages back to the system, which reads them again where needed."""
        if self._memory is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED)

    def find_unchanged(
        self, root: str, names: Iterable[str], *, both_files: bool
    ) -> dict[str, int]:
        """The positions of those runs below `root` whose files are as they were read; by name.

        Unless `both_files` are looked at, only the events are.
        """
        index, positions = self._index, self._positions
        unchanged = {}
        for name in names:
            position = positions.get(name)
            if position is None:
                continue
            try:
                if index.events_are(position, file_identity(f"{root}/{name}/{layout.EVENTS}")) and (
                    not both_files
                    or index.identity(position).spec == spec_identity(f"{root}/{name}")
                ):
                    unchanged[name] = position
            except OSError:
                continue  # Reading the run says what is wrong.
        return unchanged

    def run(self, position: int) -> StoredRun:
        """The run at `position`."""
        return StoredRun(self._index.names[position], self._index, position, self)

    def list_runs(self, positions: Iterable[int]) -> Iterator[ListedRun]:
        """What a list shows of the runs at `positions`."""
        return list_stored_runs(self._index, positions)

    def newest_row(self, position: int) -> memoryview[float]:
        return self._index.newest_row(position)

    def rows(self, position: int) -> Rows:
        from postertui.runs.store.columns import rows_in

        rows = rows_in(self._memory, self._index.place(position)) if self._memory else None
        return self._reread(self._index.names[position]) if rows is None else rows


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
        self._is_spooling = False

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

    def begin_spool(self) -> None:
        """Take runs into a new cache, until the next `save`, as far as there can be one."""
        from postertui.runs.store.spool import EpochSpool

        with contextlib.suppress(OSError):
            make_folder(self._folder)
            if not self._folder.is_symlink():
                self._spool = EpochSpool(self._new_epochs_path(), self._reread)
                self._is_spooling = True

    def take(self, run: Run, reading: Reading) -> StoredRun | None:
        """The closed `run`, kept by a new cache from now on; None where it stays in memory."""
        if self._spool is None or not self._is_spooling:
            return None
        try:
            return self._spool.take(run, reading)
        except ValueError:
            return None
        except OSError:
            self._is_spooling = False  # Those that it has taken can be read again.
            return None

    def release_pages(self) -> None:
        """Give the pages of epochs that a new cache has taken back to the system."""
        if self._spool is not None:
            self._spool.release_pages()

    def _new_epochs_path(self) -> Path:
        return self._folder / f"epochs-{secrets.token_hex(8)}"

    def save(self, runs: Iterable[ReadRun]) -> None:
        """Cache these closed runs and no others."""
        with contextlib.suppress(OSError):
            make_folder(self._folder)
            if self._folder.is_symlink():
                return
            with FileLock(self._folder / layout.LOCK) as lock:
                if lock.acquire(patience=0):
                    self._save(list(runs))

    def _save(self, runs: list[ReadRun]) -> None:
        from postertui.runs.store.index_builder import IndexBuilder

        before = self._extensible_index()
        spool, self._is_spooling = self._spool if self._is_spooling else None, False
        is_new = not before.epochs
        if spool is not None and is_new and _is_synchronised(spool):
            index = spool.index
            fresh = [r for r in runs if r[1] is not None or not _is_entry(r[0], index)]
        else:
            fresh = _lacking(before, runs)
            is_new = is_new or fresh is runs
            index = (
                IndexBuilder(self._new_epochs_path().name, EMPTY)
                if is_new
                else IndexBuilder(before.epochs, before)
            )
        path = self._folder / index.epochs
        try:
            _append(path, index, fresh)
            write_atomic(self._folder / INDEX, index.encode())
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


def _lacking(index: Index, runs: list[ReadRun]) -> list[ReadRun]:
    """Those of `runs` that `index` lacks; `runs` itself where most of `index` is of others."""
    positions = {name: position for position, name in enumerate(index.names)}
    lacking: list[ReadRun] = []
    rows = 0
    for run, reading in runs:
        position = positions.get(run.name)
        if position is None or index.identity(position) != _reading(run, reading).identity:
            lacking.append((run, reading))
        else:
            rows += index.rows[position]
    kept = len(runs) - len(lacking)
    return runs if 2 * kept < len(index.names) or 2 * rows < index.total else lacking


def _is_entry(run: Run, index: Index) -> bool:
    return isinstance(run, StoredRun) and run.is_of(index)


def _reading(run: Run, reading: Reading | None) -> Reading:
    if reading is None:
        assert isinstance(run, StoredRun)
        return run.reading
    return reading


def _is_synchronised(spool: EpochSpool) -> bool:
    """Whether all rows of `spool` are on disk, where another program may have removed it."""
    try:
        spool.sync()
    except OSError:
        return False
    return True


def _append(path: Path, index: IndexBuilder, runs: list[ReadRun]) -> None:
    """Add the runs to `index`, and their rows after those that `path` has."""
    import numpy as np

    from postertui.runs.store.index_builder import place_of

    fd = open_regular(path, os.O_RDWR | os.O_CREAT)
    with os.fdopen(fd, "r+b") as file:
        file.seek(index.total * ROW_BYTES)
        for run, reading in runs:
            rows = np.ascontiguousarray(run.buffer.rows())
            with contextlib.suppress(ValueError):
                index.add(run, _reading(run, reading), place_of(rows, index.total))
                file.write(rows.data)
        file.flush()
        # The index must not be on disk before the rows that it refers to.
        os.fdatasync(file.fileno())
