"""A run's epochs as columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.runs.epoch_line import BOOLEANS, COLUMNS, WHOLE
from postertui.runs.events import Event

_INDEX = {name: i for i, name in enumerate(COLUMNS)}
_EPOCH = _INDEX["epoch"]

Rows = NDArray[np.float64]


def rows_of(lines: Sequence[Any]) -> Rows:
    """`EpochLine`s as rows (epochs, columns)."""
    return np.array([msgspec.structs.astuple(line) for line in lines], dtype=np.float64).reshape(
        len(lines), len(COLUMNS)
    )


class Epochs(Sequence[Event]):
    """A run's finished epochs at one moment, in order, epoch numbers rising.

    As a sequence, one dictionary per epoch: `epochs[-1]["test_loss"]`, None where undefined, a key
    missing where the run never had it. `values` and `array` give a column at once.
    """

    __slots__ = ("_known_columns", "_rows")

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known_columns: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Epochs: ...
    def __getitem__(self, index: int | slice) -> Event | Epochs:
        if isinstance(index, slice):
            return Epochs(self._rows[index])
        return self._event(self._rows[index].tolist(), self._known())

    def __iter__(self) -> Iterator[Event]:
        known = self._known()
        return (self._event(row, known) for row in self._rows.tolist())

    def array(self, name: str) -> Rows:
        """The column `name`, NaN where undefined. Raises `KeyError` for one that is none."""
        return self._rows[:, _INDEX[name]]

    def values(self, name: str) -> list[float | None]:
        """The column `name`, None where undefined; all None for one that runs do not have."""
        index = _INDEX.get(name)
        if index is None:
            return [None] * len(self)
        return [None if math.isnan(v) else v for v in self._rows[:, index].tolist()]

    def has(self, name: str) -> bool:
        """Whether `name` is defined at any epoch."""
        index = _INDEX.get(name)
        return index is not None and bool(self._defined()[index])

    def newest(self, name: str) -> Any:
        """`name` at the newest epoch; None where there is none or it is undefined."""
        index = _INDEX.get(name)
        if index is None or not len(self._rows):
            return None
        return _python(name, float(self._rows[-1, index]))

    def newest_event(self) -> Event:
        """What is defined at the newest epoch; empty before the first."""
        if not len(self._rows):
            return {}
        return {
            name: _python(name, value)
            for name, value in zip(COLUMNS, self._rows[-1].tolist(), strict=True)
            if value == value
        }

    def _defined(self) -> NDArray[np.bool_]:
        """Whether each of `COLUMNS` is defined at any epoch."""
        if self._known_columns is None:
            self._known_columns = np.logical_or.reduce(np.isfinite(self._rows), axis=0)
        assert self._known_columns is not None
        return self._known_columns

    def _known(self) -> list[tuple[int, str]]:
        return [(i, COLUMNS[i]) for i in np.flatnonzero(self._defined()).tolist()]

    def _event(self, row: list[float], known: list[tuple[int, str]]) -> Event:
        event: Event = {name: _python(name, row[i]) for i, name in known}
        event["event"] = "epoch"
        return event


def _python(name: str, value: float) -> Any:
    if value != value:
        return None
    if name in WHOLE:
        return int(value)
    return bool(value) if name in BOOLEANS else value


class EpochBuffer:
    """Rows that grow. What was given out as `Epochs` before never changes."""

    __slots__ = ("_rows", "_used")

    def __init__(self, rows: Rows | None = None) -> None:
        self._rows = np.empty((0, len(COLUMNS))) if rows is None else rows
        self._used = len(self._rows)

    def view(self) -> Epochs:
        return Epochs(self.rows())

    def rows(self) -> Rows:
        return self._rows if self._used == len(self._rows) else self._rows[: self._used]

    def __len__(self) -> int:
        return self._used

    @property
    def last_epoch(self) -> int:
        return int(self._rows[self._used - 1, _EPOCH]) if self._used else 0

    def drop_from(self, epoch: int) -> None:
        """Forget the epochs from `epoch` on."""
        if epoch > self.last_epoch:
            return
        keep = int(np.searchsorted(self._rows[: self._used, _EPOCH], epoch))
        # A copy, since a view may still show the rows that go.
        self._rows = self._rows[:keep].copy()
        self._used = keep

    def extend(self, rows: Rows) -> None:
        """Add epochs; one that is there already is replaced together with all after it."""
        epochs = rows[:, _EPOCH]
        if len(rows) and (epochs[0] <= self.last_epoch or (np.diff(epochs) <= 0).any()):
            for row in rows:
                self.drop_from(int(row[_EPOCH]))
                self._append(row[None])
            return
        self._append(rows)

    def _append(self, rows: Rows) -> None:
        need = self._used + len(rows)
        if need > len(self._rows):
            grown = np.empty((max(need, 2 * self._used, 8), len(COLUMNS)))
            grown[: self._used] = self._rows[: self._used]
            self._rows = grown
        self._rows[self._used : need] = rows
        self._used = need
