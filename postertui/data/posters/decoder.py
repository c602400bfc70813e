"""Decodes posters on all cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from postertui.data.posters.images import UnreadableImageError, read_image
from postertui.data.posters.row_writer import RowWriter
from postertui.data.posters.scan import PosterFiles

#: Posters decoded per task: small enough to keep all cores busy and little in memory.
_BLOCK = 32
_MAX_PENDING_BLOCKS = 4 * len(os.sched_getaffinity(0))

Progress = Callable[[int, int], None]

#: A poster at each side, or why it cannot be read.
Decoded = list[NDArray[np.uint8]] | UnreadableImageError


class Decoder:
    """Decodes posters on all cores, in order, with few of them in memory at a time."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        files: PosterFiles,
        sides: tuple[int, ...],
        total: int,
        progress: Progress | None,
    ) -> None:
        self._pool = pool
        self._files = files
        self._sides = sides
        self._total = total
        self._progress = progress
        self._done = 0
        self.unreadable: list[tuple[str, str]] = []

    def write(self, indices: NDArray[np.intp], images: list[RowWriter]) -> NDArray[np.int64]:
        """Write the posters at `indices` that can be read, at each side; the ids of those."""
        indices_read: list[int] = []
        for block, decoded in self._blocks(indices):
            rows = []
            for index, at_sides in zip(block, decoded, strict=True):
                if isinstance(at_sides, UnreadableImageError):
                    self.unreadable.append((str(self._files.path(index)), str(at_sides)))
                else:
                    indices_read.append(index)
                    rows.append(at_sides)
            for number, writer in enumerate(images):
                writer.append([at_sides[number] for at_sides in rows])
            self._done += len(block)
            if self._progress:
                self._progress(self._done, self._total)
        return self._files.ids[np.array(indices_read, np.intp)]

    def _blocks(self, indices: NDArray[np.intp]) -> Iterator[tuple[list[int], list[Decoded]]]:
        pending: deque[tuple[list[int], Future[list[Decoded]]]] = deque()
        for start in range(0, len(indices), _BLOCK):
            block = indices[start : start + _BLOCK].tolist()
            pending.append((block, self._pool.submit(self._read, block)))
            if len(pending) > _MAX_PENDING_BLOCKS:
                first, future = pending.popleft()
                yield first, future.result()
        for first, future in pending:
            yield first, future.result()

    def _read(self, block: list[int]) -> list[Decoded]:
        images: list[Decoded] = []
        for index in block:
            try:
                path = self._files.path(index)
                images.append([read_image(path, side) for side in self._sides])
            except UnreadableImageError as error:
                images.append(error)
        return images


class DecoderPool(ThreadPoolExecutor):
    """One thread a core: Pillow releases the GIL while it decodes and shrinks."""

    def __init__(self) -> None:
        super().__init__(len(os.sched_getaffinity(0)), thread_name_prefix="decode")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown(wait=True, cancel_futures=True)
