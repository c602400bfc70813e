"""A cache that is made while its runs are read for the first time.

Its epochs are in a file and its index in memory, so that of a closed run that was read no more
stays than a row of numbers.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from postertui.runs.store.columns import Rows, rows_in
from postertui.runs.store.identity import Reading
from postertui.runs.store.index import EMPTY, ROW_BYTES
from postertui.runs.store.index_builder import IndexBuilder, place_of
from postertui.runs.store.run import Run
from postertui.runs.store.stored_run import StoredRun
from postertui.system.regular_files import open_regular

#: How much is gathered before it is written.
FLUSH_BYTES = 1 << 20


class EpochSpool:
    """A new file of epochs at `path`, that no other process writes to, and the `index` of it.

    Both become the cache when the index is written; until then the file may be removed at any
    time. Rows that cannot be read back are read by `reread`. Raises `OSError`.
    """

    def __init__(self, path: Path, reread: Callable[[str], Rows]) -> None:
        self.path = path
        self.index = IndexBuilder(path.name, EMPTY)
        self._reread = reread
        self._fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        #: Some threads look at rows while another one takes runs.
        self._lock = threading.Lock()
        self._pending = bytearray()
        self._maps: list[mmap.mmap] = []

    def __del__(self) -> None:
        if (fd := getattr(self, "_fd", None)) is not None:
            os.close(fd)

    def take(self, run: Run, reading: Reading) -> StoredRun:
        """The closed `run`, kept in the file and in the index from now on.

        Raises `OSError`, and `NotEncodableError` for one that the index cannot hold.
        """
        rows = np.ascontiguousarray(run.buffer.rows())
        with self._lock:
            position = self.index.add(run, reading, place_of(rows, self.index.total))
            self._pending += rows.data.cast("B") if len(rows) else b""
            if len(self._pending) >= FLUSH_BYTES:
                self._flush()
        return StoredRun(run.name, self.index, position, self)

    def _flush(self) -> None:
        """Have all rows in the file; with the lock held. Raises `OSError`."""
        while self._pending:
            del self._pending[: os.write(self._fd, self._pending)]

    def sync(self) -> None:
        """Have all rows on disk. Raises `OSError`, also where the file was removed."""
        with self._lock:
            self._flush()
        os.fdatasync(self._fd)
        if not os.path.samestat(os.fstat(self._fd), self.path.lstat()):
            raise FileNotFoundError(self.path)

    def newest_row(self, position: int) -> memoryview[float]:
        return self.index.newest_row(position)

    def rows(self, position: int) -> Rows:
        place = first, count, _ = self.index.place(position)
        try:
            rows = rows_in(self._map((first + count) * ROW_BYTES), place)
        except (OSError, ValueError):
            rows = None
        return self._reread(self.index.names[position]) if rows is None else rows

    def _map(self, size: int) -> mmap.mmap:
        """The file's first `size` bytes, and maybe more."""
        with self._lock:
            if not self._maps or len(self._maps[-1]) < size:
                self._flush()
                self._maps.append(mmap.mmap(self._fd, 0, access=mmap.ACCESS_READ))
            return self._maps[-1]

    def release_pages(self) -> None:
        """Give the epochs' pages back to the system, which reads them again where needed."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for memory in self._maps:
                memory.madvise(mmap.MADV_DONTNEED)
