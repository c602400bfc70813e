"""Rows of epochs that lie in a file, and what the numbers in them mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from postertui.runs.epoch_line import BOOLEANS, WHOLE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RowSource(Protocol):
    """Where `StoredRows` are kept."""

    def rows(self, position: int) -> NDArray[np.float64]:
        """The rows (epochs, columns) of what is at `position`."""

    def newest_row(self, position: int) -> memoryview[float]:
        """The last of them (columns,), for less."""


class StoredRows:
    """At least one row, in `source` until all are looked at."""

    __slots__ = ("_rows", "count", "position", "source")

    def __init__(self, source: RowSource, position: int, count: int) -> None:
        self.count = count
        self.source, self.position = source, position
        self._rows: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return self.count

    @property
    def newest(self) -> memoryview[float]:
        return self.source.newest_row(self.position)

    def rows(self) -> NDArray[np.float64]:
        if self._rows is None:
            self._rows = self.source.rows(self.position)
        return self._rows


def python_value(name: str, value: float) -> Any:
    """A column's value as an event has it: None where undefined, whole, or a yes or no."""
    if value != value:
        return None
    if name in WHOLE:
        return int(value)
    return bool(value) if name in BOOLEANS else value
