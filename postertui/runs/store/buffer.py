"""A run's epochs as they come in. Where there are none, numpy is not loaded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from postertui.runs.epoch_line import COLUMN_INDEX, Extra
from postertui.runs.store.stored_rows import StoredRows, python_value

if TYPE_CHECKING:
    from postertui.runs.store.columns import Epochs, Rows

_EPOCH = COLUMN_INDEX["epoch"]


@cache
def _load_epochs_class() -> type[Epochs]:
    """The class that needs numpy; an import in each call would take as long as a view itself."""
    from postertui.runs.store.columns import Epochs

    return Epochs


class EpochBuffer:
    """Rows that grow. What was given out as `Epochs` before never changes."""

    __slots__ = ("_extra", "_rows", "_stored", "_used")

    def __init__(
        self, rows: Rows | StoredRows | None = None, extra: Sequence[Extra] | None = None
    ) -> None:
        self._stored: StoredRows | None = None
        self._rows: Rows | None = None
        if isinstance(rows, StoredRows):
            self._stored = rows
        else:
            self._rows = rows
        self._used = 0 if rows is None else len(rows)
        self._extra: list[Extra] | None = None if extra is None else list(extra)

    def view(self) -> Epochs:
        extra = () if self._extra is None else tuple(self._extra)
        rows = self._used_rows() if self._stored is None else self._stored
        return _load_epochs_class()(rows, extra)

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
        rows = self._rows
        if rows is None:
            from postertui.runs.store.columns import NO_ROWS

            return NO_ROWS
        return rows if self._used == len(rows) else rows[: self._used]

    def __len__(self) -> int:
        return self._used

    @property
    def last_epoch(self) -> int:
        return int(self._newest()[_EPOCH]) if self._used else 0

    def newest(self, name: str) -> Any:
        """What `view().newest(name)` is, without making the view."""
        if self._extra is not None:
            return self.view().newest(name)
        index = COLUMN_INDEX.get(name)
        if index is None or not self._used:
            return None
        return python_value(name, float(self._newest()[index]))

    def _newest(self) -> Rows | memoryview[float]:
        return self._used_rows()[-1] if self._stored is None else self._stored.newest

    def drop_from(self, epoch: int) -> None:
        """Forget the epochs from `epoch` on."""
        if epoch > self.last_epoch:
            return
        self._take_stored()
        rows = self._used_rows()
        keep = int(rows[:, _EPOCH].searchsorted(epoch))
        # A copy, since a view may still show the rows that go.
        self._rows = rows[:keep].copy()
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
        assert self._rows is not None
        if need > len(self._rows):
            from postertui.runs.store.columns import empty_rows

            grown = empty_rows(max(need, 2 * self._used, 8))
            grown[: self._used] = self._rows[: self._used]
            self._rows = grown
        self._rows[self._used : need] = rows
        self._used = need
