"""A run's epochs as columns of numbers."""

from __future__ import annotations

import math
import mmap
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.runs.epoch_line import COLUMN_INDEX, COLUMNS, Extra
from postertui.runs.events import Event
from postertui.runs.store.index import ROW_BYTES
from postertui.runs.store.stored_rows import StoredRows, python_value

Rows = NDArray[np.float64]


def empty_rows(count: int) -> Rows:
    """Rows (count, columns) that are not filled in."""
    return np.empty((count, len(COLUMNS)))


NO_ROWS = empty_rows(0)


def rows_in(file: mmap.mmap, place: tuple[int, int, int]) -> Rows | None:
    """The rows at an index's `place` in its file of epochs; None where others were written.

    Raises `ValueError` where the file is too short.
    """
    first, count, checksum = place
    rows = np.frombuffer(file, np.float64, count * len(COLUMNS), first * ROW_BYTES)
    return rows.reshape(-1, len(COLUMNS)) if zlib.crc32(rows.data) == checksum else None


def rows_of(lines: Sequence[Any]) -> Rows:
    """`EpochLine`s as rows (epochs, columns)."""
    rows = [msgspec.structs.astuple(line)[:-1] for line in lines]
    return np.array(rows, dtype=np.float64).reshape(len(lines), len(COLUMNS))


def extra_of(lines: Sequence[Any]) -> list[Extra] | None:
    """The further metrics of `EpochLine`s; None where no line has any."""
    extra = [line.extra for line in lines]
    return extra if any(extra) else None


class Epochs(Sequence[Event]):
    """A run's finished epochs at one moment, in order, epoch numbers rising.

    As a sequence, one dictionary per epoch: `epochs[-1]["test_loss"]`, None where undefined, a key
    missing where the run never had it. `values` and `array` give a column at once.

    Parameters
    ----------
    rows
        (epochs, columns) in the order of `COLUMNS`, NaN where undefined.
    extra
        Of each epoch, the metrics beyond `COLUMNS`; empty where there are none.

    Attributes
    ----------
    extra_names
        The columns beyond `COLUMNS`, in the order in which they came.
    """

    __slots__ = ("_extra", "_known_columns", "_source", "extra_names")

    def __init__(self, rows: Rows | StoredRows, extra: Sequence[Extra] = ()) -> None:
        self._source = rows
        self._extra = extra
        self.extra_names = _names_of(extra) if extra else ()
        self._known_columns: NDArray[np.bool_] | None = None

    @property
    def _rows(self) -> Rows:
        source = self._source
        return source.rows() if isinstance(source, StoredRows) else source

    @property
    def _newest(self) -> Rows | memoryview[float]:
        source = self._source
        return source.newest if isinstance(source, StoredRows) else source[-1]

    def __len__(self) -> int:
        source = self._source
        return source.count if isinstance(source, StoredRows) else len(source)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Epochs: ...
    def __getitem__(self, index: int | slice) -> Event | Epochs:
        if isinstance(index, slice):
            return Epochs(self._rows[index], self._extra[index])
        return self._event(self._rows[index].tolist(), self._known()) | self._extra_at(index)

    def __iter__(self) -> Iterator[Event]:
        defined = self._known()
        return (
            self._event(row, defined) | self._extra_at(index)
            for index, row in enumerate(self._rows.tolist())
        )

    def median_seconds(self) -> float | None:
        """The (upper) median of the epochs' seconds; None where none says."""
        seconds = self.array("seconds")
        defined = np.sort(seconds[~np.isnan(seconds)])
        return float(defined[len(defined) // 2]) if len(defined) else None

    def array(self, name: str) -> Rows:
        """The column `name`, NaN where undefined. Raises `KeyError` for one that is none."""
        if name in self.extra_names:
            values = [(extra or {}).get(name) for extra in self._extra]
            return np.array(values, dtype=np.float64)
        return self._rows[:, COLUMN_INDEX[name]]

    def values(self, name: str) -> list[float | None]:
        """The column `name`, None where undefined; all None for one that runs do not have."""
        if name not in COLUMN_INDEX and name not in self.extra_names:
            return [None] * len(self)
        return [None if math.isnan(v) else v for v in self.array(name).tolist()]

    def has(self, name: str) -> bool:
        """Whether `name` is defined at any epoch."""
        if name in self.extra_names:
            return bool(np.isfinite(self.array(name)).any())
        index = COLUMN_INDEX.get(name)
        return index is not None and bool(self._defined()[index])

    def newest(self, name: str) -> Any:
        """`name` at the newest epoch; None where there is none or it is undefined."""
        if name in self.extra_names:
            return self._extra_at(-1)[name]
        index = COLUMN_INDEX.get(name)
        if index is None or not len(self):
            return None
        return python_value(name, float(self._newest[index]))

    def newest_event(self) -> Event:
        """What is defined at the newest epoch; empty before the first."""
        if not len(self):
            return {}
        return {
            name: python_value(name, value)
            for name, value in zip(COLUMNS, self._newest.tolist(), strict=True)
            if value == value
        } | {name: value for name, value in self._extra_at(-1).items() if value is not None}

    def _extra_at(self, index: int) -> Event:
        """The further metrics at an epoch, None where undefined."""
        if not self.extra_names:
            return {}
        values = self._extra[index] or {}
        return {name: values.get(name) for name in self.extra_names}

    def _defined(self) -> NDArray[np.bool_]:
        """Whether each of `COLUMNS` is defined at any epoch."""
        if self._known_columns is None:
            self._known_columns = np.logical_or.reduce(np.isfinite(self._rows), axis=0)
        assert self._known_columns is not None
        return self._known_columns

    def _known(self) -> list[tuple[int, str]]:
        return [(i, COLUMNS[i]) for i in np.flatnonzero(self._defined()).tolist()]

    def _event(self, row: list[float], defined: list[tuple[int, str]]) -> Event:
        event: Event = {name: python_value(name, row[i]) for i, name in defined}
        event["event"] = "epoch"
        return event


def _names_of(extra: Sequence[Extra]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for values in extra for name in values or ()))
