"""Epochs of runs that are read for the first time: in a file of the cache instead of in memory."""

from __future__ import annotations

import mmap
import os
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from postertui.runs.epoch_line import COLUMNS
from postertui.runs.store.columns import EpochBuffer, Rows, StoredRows
from postertui.runs.store.index import ROW_BYTES
from postertui.runs.store.run import Run
from postertui.system.regular_files import open_regular

#: So much is gathered before it is written.
FLUSH_BYTES = 1 << 20


class RowsInFile(NamedTuple):
    """The rows from `first` on in a file of epochs, with their CRC-32, and the last one's bytes."""

    first: int
    length: int
    checksum: int
    newest: bytes


class EpochSpool:
    """A new file of epochs at `path`, that no other process writes to. Raises `OSError`.

    It is a source of rows like the cache, and becomes part of that when an index names it; until
    then it may be removed at any time. Rows that cannot be read back are read by `reread`.
    """

    def __init__(self, path: Path, reread: Callable[[str], Rows]) -> None:
        self.path, self.total = path, 0
        self._reread = reread
        self._fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self._pending = bytearray()
        self._names: list[str] = []
        self._firsts, self._counts, self._checksums = array("q"), array("q"), array("q")
        self._newest = array("d")
        self._maps: list[mmap.mmap] = []

    def __del__(self) -> None:
        if (fd := getattr(self, "_fd", None)) is not None:
            os.close(fd)

    def take(self, run: Run) -> None:
        """Move the rows of `run` from memory into the file. Raises `OSError`."""
        rows = np.ascontiguousarray(run.buffer.rows())
        if not len(rows):
            return
        position = len(self._names)
        self._pending += rows.data.cast("B")
        self._names.append(run.name)
        self._firsts.append(self.total)
        self._counts.append(len(rows))
        self._checksums.append(zlib.crc32(rows.data))
        self._newest.frombytes(rows[-1].tobytes())
        self.total += len(rows)
        stored = StoredRows(self, position, len(rows))
        run.buffer = EpochBuffer(stored, run.buffer.extra)
        if len(self._pending) >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Have all rows in the file. Raises `OSError`."""
        while self._pending:
            del self._pending[: os.write(self._fd, self._pending)]

    def sync(self) -> None:
        """Have all rows on disk. Raises `OSError`, also where the file was removed."""
        self.flush()
        os.fdatasync(self._fd)
        if not os.path.samestat(os.fstat(self._fd), self.path.lstat()):
            raise FileNotFoundError(self.path)

    def place_of(self, buffer: EpochBuffer) -> RowsInFile | None:
        """Where the rows of `buffer` are; None where they are not in this file."""
        stored = buffer.stored
        if stored is None or stored.source is not self:
            return None
        at = stored.position
        newest = self.newest_row(at).tobytes()
        return RowsInFile(self._firsts[at], self._counts[at], self._checksums[at], newest)

    def newest_row(self, position: int) -> memoryview[float]:
        first = position * len(COLUMNS)
        return memoryview(self._newest[first : first + len(COLUMNS)])

    def rows(self, position: int) -> Rows:
        start, count = self._firsts[position] * ROW_BYTES, self._counts[position]
        stop = start + count * ROW_BYTES
        try:
            if not self._maps or len(self._maps[-1]) < stop:
                self.flush()
                self._maps.append(mmap.mmap(self._fd, 0, access=mmap.ACCESS_READ))
            data = memoryview(self._maps[-1])[start:stop]
        except (OSError, ValueError):
            return self._reread(self._names[position])
        if zlib.crc32(data) != self._checksums[position]:
            return self._reread(self._names[position])
        return np.frombuffer(data, dtype=np.float64).reshape(count, len(COLUMNS))

    def release_pages(self) -> None:
        """Give the epochs' pages back to the system, which reads them again where needed."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for memory in self._maps:
                memory.madvise(mmap.MADV_DONTNEED)
