"""Inputs too large for the device: kept on disk and transferred a few batches at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from postertui.training.backend import Tensor, on_accelerator, to_device
from postertui.training.epoch_schedule import EpochSchedule
from postertui.training.input_encoding import join
from postertui.training.loop import Cohort

ScalarT = TypeVar("ScalarT", bound=np.generic)

#: Bytes of an accelerator's memory for inputs; the rest is the network's.
ACCELERATOR_INPUT_BYTES = 16 << 30

#: Size of one block in bytes, unless a single batch is larger.
BLOCK_BYTES = 256 << 20


class HostRows:
    """The concatenation of memory-mapped arrays, left on disk, or the numbered `rows` of it."""

    def __init__(self, parts: list[NDArray[Any]], rows: NDArray[np.int64] | None = None) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self._rows = rows

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, …), as an array's."""
        count = int(self._ends[-1]) if self._rows is None else len(self._rows)
        return count, *self._parts[0].shape[1:]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row on the device."""
        return int(np.prod(self.shape[1:])) * (1 if self._parts[0].dtype == np.uint8 else 4)

    def take(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        """The numbered rows: uint8 where stored so, otherwise float32."""
        if self._rows is not None:
            rows = self._rows[rows]
        taken = self._empty(len(rows))
        part_of_row = np.searchsorted(self._ends, rows, side="right")
        for number, part in enumerate(self._parts):
            selected = part_of_row == number
            taken[selected] = part[rows[selected] - (self._ends[number] - len(part))]
        return taken

    def whole(self) -> NDArray[Any]:
        """All rows, in the dtype of `take`."""
        if self._rows is not None:
            return self.take(np.arange(len(self._rows)))
        taken = self._empty(self.shape[0])
        np.concatenate(self._parts, out=taken, casting="same_kind")
        return taken

    def _empty(self, count: int) -> NDArray[Any]:
        dtype = np.uint8 if self._parts[0].dtype == np.uint8 else np.float32
        return np.empty((count, *self.shape[1:]), dtype)


class JoinedRows(HostRows):
    """Posters' inputs and details, one flat row each: float32 (n, poster's numbers + details').

    `posters` None for details alone; `details` (n, …) stay in memory.
    """

    def __init__(self, posters: HostRows | None, details: NDArray[np.float32]) -> None:
        self._posters = posters
        self._details = details
        self._width = 0 if posters is None else int(np.prod(posters.shape[1:]))

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._details), self._width + self._details.shape[1]

    @property
    def row_bytes(self) -> int:
        return 4 * self.shape[1]

    def take(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        details: NDArray[np.float32] = self._details[rows]
        if self._posters is None:
            return details
        return join(self._posters.take(rows), details)

    def whole(self) -> NDArray[np.float32]:
        return self.take(np.arange(len(self._details)))


def input_memory_limit() -> int:
    """Bytes of inputs that a job may keep on its device."""
    return ACCELERATOR_INPUT_BYTES if on_accelerator() else psutil.virtual_memory().total // 4


def by_genre(values: NDArray[ScalarT]) -> NDArray[ScalarT]:
    """What one genre has, (n,), as (n, 1); what R genres have, (n, R), as it is."""
    return values.reshape(len(values), -1)


def iter_blocks(
    x: Tensor | HostRows, labels: NDArray[np.uint8], schedule: EpochSchedule
) -> Iterator[tuple[Cohort, EpochSchedule]]:
    """Split a pass into blocks that fit on the device; one block where `x` is on it already.

    All blocks but the last have the same number of batches, so that at most two shapes are
    compiled. Results are the same either way, batch for batch.

    Parameters
    ----------
    x, labels
        Inputs (n, …) and labels (n,), or (n, R) for R genres that are trained together.

    Yields
    ------
    tuple[Cohort, EpochSchedule]
        The block's rows on the device, and its batches by their numbers among those.
    """
    if not isinstance(x, HostRows):
        yield Cohort(x, to_device(by_genre(labels))), schedule
        return
    steps, size = schedule.rows.shape
    block_steps = max(1, BLOCK_BYTES // (x.row_bytes * size))
    for start in range(0, steps, block_steps):
        columns = {
            name: getattr(schedule, name)[start : start + block_steps]
            for name in EpochSchedule._fields[:-1]
        }
        rows = columns["rows"].ravel()
        columns["rows"] = np.arange(len(rows), dtype=np.int32).reshape(-1, size)
        yield (
            Cohort(to_device(x.take(rows)), to_device(by_genre(labels[rows]))),
            schedule._replace(**columns),
        )
