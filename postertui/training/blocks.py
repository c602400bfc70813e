"""Inputs that do not fit on the device: kept on disk, and moved there a few batches at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from postertui.training.backend import Tensor, on_accelerator, to_device
from postertui.training.loop import Cohort
from postertui.training.plan import Plan

#: Bytes of an accelerator's memory that inputs may fill; the rest is the network's.
ACCELERATOR_ROOM = 16 << 30

#: Bytes that one block may have, unless a single batch has more.
BLOCK = 256 << 20


class HostRows:
    """The rows of memory-mapped arrays, one array after the other, as they are on disk."""

    def __init__(self, parts: list[NDArray[Any]]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    @property
    def shape(self) -> tuple[int, ...]:
        """As an array's: the number of rows first."""
        return int(self._ends[-1]), *self._parts[0].shape[1:]

    @property
    def row_bytes(self) -> int:
        """The bytes of one row, once it is on the device."""
        return int(np.prod(self.shape[1:])) * (1 if self._parts[0].dtype == np.uint8 else 4)

    def take(self, rows: NDArray[np.int32]) -> NDArray[Any]:
        """The rows of these numbers, uint8 as they are and all else as float32."""
        taken = self._empty(len(rows))
        where = np.searchsorted(self._ends, rows, side="right")
        for number, part in enumerate(self._parts):
            here = where == number
            taken[here] = part[rows[here] - (self._ends[number] - len(part))]
        return taken

    def whole(self) -> NDArray[Any]:
        """All rows, in the types that `take` gives."""
        taken = self._empty(self.shape[0])
        np.concatenate(self._parts, out=taken, casting="same_kind")
        return taken

    def _empty(self, count: int) -> NDArray[Any]:
        dtype = np.uint8 if self._parts[0].dtype == np.uint8 else np.float32
        return np.empty((count, *self.shape[1:]), dtype)


def room() -> int:
    """How many bytes of inputs a job may keep on its device."""
    return ACCELERATOR_ROOM if on_accelerator() else psutil.virtual_memory().total // 4


def blocks(
    x: Tensor | HostRows, labels: NDArray[np.uint8], plan: Plan
) -> Iterator[tuple[Cohort, Plan]]:
    """The pass that `plan` describes as one on the device, or as several where `x` is not there.

    All but the last have the same number of batches: two shapes to compile at most. What comes
    out is the same either way, batch for batch.
    """
    if not isinstance(x, HostRows):
        yield Cohort(x, to_device(labels[:, None])), plan
        return
    steps, size = plan.rows.shape
    many = max(1, BLOCK // (x.row_bytes * size))
    for start in range(0, steps, many):
        columns = {name: getattr(plan, name)[start : start + many] for name in Plan._fields[:-1]}
        rows = columns["rows"].ravel()
        columns["rows"] = np.arange(len(rows), dtype=np.int32).reshape(-1, size)
        yield (
            Cohort(to_device(x.take(rows)), to_device(labels[rows][:, None])),
            plan._replace(**columns),
        )
