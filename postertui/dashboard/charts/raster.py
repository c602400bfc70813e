"""Curves to dots, dots to characters.

A raster of w × h characters has 2w × 4h braille dots (or w × h in plain ASCII). References are
kept apart from data, and data wins every character that both would touch. Coordinates are in
0..1, y upwards.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Which of every so many dots along x are drawn.
SOLID = (True,)
DASHED = (True, True, True, True, False, False)
DOTTED = (True, False, False)
SHORT = (True, True, False, False)
SPARSE = (True, False, False, False)
DASH_DOT = (True, True, True, True, True, False, False, True, False, False)
#: Curves laid over each other differ by pattern as well as by colour.
PATTERNS = (SOLID, DASHED, DASH_DOT, SHORT)

_WEIGHTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.int64)
EMPTY = -1


class Raster:
    """A canvas of `width` × `height` characters; `owners` says which curve each shows."""

    def __init__(self, width: int, height: int, *, ascii_only: bool = False) -> None:
        self.width, self.height = width, height
        self.ascii_only = ascii_only
        self._per_x, self._per_y = (1, 1) if ascii_only else (2, 4)
        shape = (height * self._per_y, width * self._per_x)
        self._dots = {False: np.zeros(shape, dtype=bool), True: np.zeros(shape, dtype=bool)}
        self._owner = {
            False: np.full((height, width), EMPTY, dtype=np.int64),
            True: np.full((height, width), EMPTY, dtype=np.int64),
        }

    @property
    def columns(self) -> int:
        """Dots along x."""
        return self.width * self._per_x

    @property
    def rows(self) -> int:
        """Dots along y."""
        return self.height * self._per_y

    def level(self, y: float, owner: int, pattern: tuple[bool, ...] = DASHED) -> None:
        """A horizontal reference line at `y`; nothing where `y` is outside 0..1."""
        if not 0 <= y <= 1:
            return
        row = round((1 - y) * (self.rows - 1))
        columns = np.flatnonzero(_on(np.arange(self.columns), pattern))
        self._set(np.full(len(columns), row), columns, owner, data=False)

    def curve(self, x: Floats, y: Floats, owner: int, pattern: tuple[bool, ...] = SOLID) -> None:
        """The points (x, y) joined in order; NaN is a gap, a point without neighbours a dot.

        x ascends. Where several points share a column, the whole of their range is drawn.
        """
        columns = x * (self.columns - 1)
        rows = (1 - y) * (self.rows - 1)
        finite = np.isfinite(rows) & np.isfinite(columns)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], finite, [False]))))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            if stop - start == 1:
                self._point(columns[start], rows[start], owner)
            else:
                self._stretch(columns[start:stop], rows[start:stop], owner, pattern)

    def band(self, x: Floats, low: Floats, high: Floats, owner: int) -> None:
        """A light filling between `low` and `high`, in the background."""
        finite = np.isfinite(low) & np.isfinite(high)
        if finite.sum() < 2 or self.ascii_only:
            return
        columns = np.arange(round(x[finite][0] * (self.columns - 1)), self.columns)
        columns = columns[columns <= round(x[finite][-1] * (self.columns - 1))]
        at = columns / max(1, self.columns - 1)
        top = np.rint((1 - np.interp(at, x[finite], high[finite])) * (self.rows - 1))
        bottom = np.rint((1 - np.interp(at, x[finite], low[finite])) * (self.rows - 1))
        rows, columns = _fill(columns, top.astype(np.int64), bottom.astype(np.int64))
        light = (rows + columns) % 2 == 0
        self._set(rows[light], columns[light], owner, data=False)

    def render(self) -> tuple[Ints, Ints]:
        """Braille code points and owners, each (height, width); `EMPTY` owns blank characters.

        In ASCII the code points are all blank: the character follows from the owner.
        """
        data = self._owner[True] != EMPTY
        owners = np.where(data, self._owner[True], self._owner[False])
        if self.ascii_only:
            return np.full(owners.shape, 32, dtype=np.int64), owners
        codes = np.where(data, self._pack(True), self._pack(False))
        return np.where(codes == 0, 32, codes + 0x2800), owners

    def _pack(self, data: bool) -> Ints:
        blocks = self._dots[data].reshape(self.height, 4, self.width, 2)
        packed: Ints = np.einsum("iajb,ab->ij", blocks, _WEIGHTS)
        return packed

    def _point(self, column: float, row: float, owner: int) -> None:
        size = 1 if self.ascii_only else 2
        left, top = int(column) // size * size, int(np.rint(row))
        top = min(top, self.rows - size)
        around = [(top + i, left + j) for i in range(size) for j in range(size)]
        rows, columns = np.array(around).T
        self._set(rows, columns, owner, data=True)

    def _stretch(self, x: Floats, y: Floats, owner: int, pattern: tuple[bool, ...]) -> None:
        columns = np.arange(int(np.rint(x[0])), int(np.rint(x[-1])) + 1)
        middle = np.interp(columns, x, y)
        between = (middle[1:] + middle[:-1]) / 2
        before = np.concatenate((middle[:1], between))
        after = np.concatenate((between, middle[-1:]))
        low = np.minimum(np.minimum(before, after), middle)
        high = np.maximum(np.maximum(before, after), middle)
        if len(x) > len(columns) / 2:
            index = np.clip(np.rint(x).astype(np.int64) - columns[0], 0, len(columns) - 1)
            np.minimum.at(low, index, y)
            np.maximum.at(high, index, y)
        top, bottom = np.ceil(low - 0.5), np.floor(high + 0.5)
        on = _on(columns, pattern)
        limits = (0.0, float(self.rows - 1))
        seen = on & (bottom >= limits[0]) & (top <= limits[1])
        top = np.clip(top[seen], *limits).astype(np.int64)
        bottom = np.clip(bottom[seen], *limits).astype(np.int64)
        # An exact half rounds to the next dot on one side and the last on the other.
        bottom = np.maximum(bottom, top)
        rows, columns = _fill(columns[seen], top, bottom)
        self._set(rows, columns, owner, data=True)

    def _set(self, rows: Ints, columns: Ints, owner: int, *, data: bool) -> None:
        inside = (rows >= 0) & (rows < self.rows) & (columns >= 0) & (columns < self.columns)
        rows, columns = rows[inside], columns[inside]
        self._dots[data][rows, columns] = True
        self._owner[data][rows // self._per_y, columns // self._per_x] = owner


def _on(columns: Ints, pattern: tuple[bool, ...]) -> npt.NDArray[np.bool_]:
    return np.array(pattern)[columns % len(pattern)]


def _fill(columns: Ints, top: Ints, bottom: Ints) -> tuple[Ints, Ints]:
    """Rows and columns of every dot from `top` to `bottom` in each column."""
    counts = np.maximum(bottom - top + 1, 0)
    starts = np.cumsum(counts) - counts
    rows = np.repeat(top - starts, counts) + np.arange(counts.sum())
    return rows, np.repeat(columns, counts)
