"""A run's epochs as columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.runs.epoch_line import BOOLEANS, COLUMNS, WHOLE, Extra
from postertui.runs.events import Event

_INDEX = {name: i for i, name in enumerate(COLUMNS)}
_EPOCH = _INDEX["epoch"]

Rows = NDArray[np.float64]

NO_ROWS: Rows = np.empty((0, len(COLUMNS)))


def rows_of(lines: Sequence[Any]) -> Rows:
    """`EpochLine`s as rows (epochs, columns)."""
    rows = [msgspec.structs.astuple(line)[:-1] for line in lines]
    return np.array(rows, dtype=np.float64).reshape(len(lines), len(COLUMNS))


def extra_of(lines: Sequence[Any]) -> list[Extra] | None:
    """The further metrics of `EpochLine`s; None where no line has any."""
    extra = [line.extra for line in lines]
    return extra if any(extra) else None


class RowSource(Protocol):
    """Where `StoredRows` are kept."""

    def rows(self, position: int) -> Rows:
        """The rows (epochs, columns) of what is at `position`."""

    def newest_row(self, position: int) -> memoryview[float]:
        """The last of them (columns,), for less."""


class StoredRows:
    """At least one row, in `source` until all are looked at."""

    __slots__ = ("_rows", "count", "position", "source")

    def __init__(self, source: RowSource, position: int, count: int) -> None:
        self.count = count
        self.source, self.position = source, position
        self._rows: Rows | None = None

    @property
    def newest(self) -> memoryview[float]:
        return self.source.newest_row(self.position)

    def rows(self) -> Rows:
        if self._rows is None:
            self._rows = self.source.rows(self.position)
        return self._rows


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
        return self._rows[:, _INDEX[name]]

    def values(self, name: str) -> list[float | None]:
        """The column `name`, None where undefined; all None for one that runs do not have."""
        if name not in _INDEX and name not in self.extra_names:
            return [None] * len(self)
        return [None if math.isnan(v) else v for v in self.array(name).tolist()]

    def has(self, name: str) -> bool:
        """Whether `name` is defined at any epoch."""
        if name in self.extra_names:
            return bool(np.isfinite(self.array(name)).any())
        index = _INDEX.get(name)
        return index is not None and bool(self._defined()[index])

    def newest(self, name: str) -> Any:
        """`name` at the newest epoch; None where there is none or it is undefined."""
        if name in self.extra_names:
            return self._extra_at(-1)[name]
        index = _INDEX.get(name)
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


def python_value(name: str, value: float) -> Any:
    """A column's value as an event has it: None where undefined, whole, or a yes or no."""
    if value != value:
        return None
    if name in WHOLE:
        return int(value)
    return bool(value) if name in BOOLEANS else value


class EpochBuffer:
    """Rows that grow. What was given out as `Epochs` before never changes."""

    __slots__ = ("_extra", "_rows", "_stored", "_used")

    def __init__(
        self, rows: Rows | StoredRows = NO_ROWS, extra: Sequence[Extra] | None = None
    ) -> None:
        self._stored = rows if isinstance(rows, StoredRows) else None
        self._rows = NO_ROWS if isinstance(rows, StoredRows) else rows
        self._used = rows.count if isinstance(rows, StoredRows) else len(rows)
        self._extra: list[Extra] | None = None if extra is None else list(extra)

    def view(self) -> Epochs:
        extra = () if self._extra is None else tuple(self._extra)
        return Epochs(self._used_rows() if self._stored is None else self._stored, extra)

    @property
    def stored(self) -> StoredRows | None:
        """The rows that are not in memory; None where they are."""
        return self._stored

    @property
    def extra(self) -> list[Extra] | None:
        """The metrics beyond `COLUMNS` of each epoch; None where no epoch has any."""
        return self._extra

    def rows(self) -> Rows:
        return self._used_rows() if self._stored is None else self._stored.rows()

    def _used_rows(self) -> Rows:
        return self._rows if self._used == len(self._rows) else self._rows[: self._used]

    def __len__(self) -> int:
        return self._used

    @property
    def last_epoch(self) -> int:
        return int(self._newest()[_EPOCH]) if self._used else 0

    def newest(self, name: str) -> Any:
        """What `view().newest(name)` is, without making the view."""
        if self._extra is not None:
            return self.view().newest(name)
        index = _INDEX.get(name)
        if index is None or not self._used:
            return None
        return python_value(name, float(self._newest()[index]))

    def _newest(self) -> Rows | memoryview[float]:
        return self._rows[self._used - 1] if self._stored is None else self._stored.newest

    def drop_from(self, epoch: int) -> None:
        """Forget the epochs from `epoch` on."""
        if epoch > self.last_epoch:
            return
        self._take_stored()
        keep = int(np.searchsorted(self._rows[: self._used, _EPOCH], epoch))
        # A copy, since a view may still show the rows that go.
        self._rows = self._rows[:keep].copy()
        self._used = keep
        self._extra = None if self._extra is None else self._extra[:keep]

    def extend(self, rows: Rows, extra: Sequence[Extra] | None = None) -> None:
        """Add epochs; one that is there already is replaced together with all after it.

        `rows` belong to the buffer from now on.
        """
        self._take_stored()
        epochs = rows[:, _EPOCH]
        if len(rows) and (epochs[0] <= self.last_epoch or (epochs[1:] <= epochs[:-1]).any()):
            for index, row in enumerate(rows):
                self.drop_from(int(row[_EPOCH]))
                self._append(row[None], None if extra is None else [extra[index]])
            return
        self._append(rows, extra)

    def _take_stored(self) -> None:
        if self._stored is not None:
            self._rows, self._stored = self._stored.rows(), None
            self._used = len(self._rows)

    def _append(self, rows: Rows, extra: Sequence[Extra] | None) -> None:
        if extra is not None or self._extra is not None:
            before = [None] * self._used if self._extra is None else self._extra
            self._extra = [*before, *([None] * len(rows) if extra is None else extra)]
        if not self._used:
            self._rows, self._used = rows, len(rows)
            return
        need = self._used + len(rows)
        if need > len(self._rows):
            grown = np.empty((max(need, 2 * self._used, 8), len(COLUMNS)))
            grown[: self._used] = self._rows[: self._used]
            self._rows = grown
        self._rows[self._used : need] = rows
        self._used = need
