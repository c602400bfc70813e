"""Curves to dots, dots to characters.

A raster of w × h characters has 2w × 4h braille dots (or w × h in plain ASCII). References are
kept apart from data, and data wins every character that both would touch. Coordinates are in
0..1, y upwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from postertui.dashboard.charts.axes import Floats

Ints = npt.NDArray[np.int64]

Pattern = tuple[bool, ...]

#: Rows, columns, and the index of a point of the line, of each dot.
Dots = tuple[Ints, Ints, Ints]

#: Which dots along x are drawn, over and over.
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

    def level(self, y: float, owner: int, pattern: Pattern = DASHED) -> None:
        """A horizontal reference line at `y`; nothing where `y` is outside 0..1."""
        if not 0 <= y <= 1:
            return
        row = round((1 - y) * (self.rows - 1))
        columns = _columns_on(self.columns, pattern)
        self._dots[False][row, columns] = True
        self._owner[False][row // self._per_y, columns // self._per_x] = owner

    def curve(self, x: Floats, y: Floats, owner: int, pattern: Pattern = SOLID) -> None:
        """The points (x, y) joined in order; NaN is a gap, a point without neighbours a dot.

        x ascends. Where several points share a column, the whole of their range is drawn.
        """
        self.curves(x, y, [len(x)], [owner], [pattern])

    def curves(
        self,
        x: Floats,
        y: Floats,
        lengths: Sequence[int],
        owners: Sequence[int],
        patterns: Sequence[Pattern],
    ) -> None:
        """Many curves as `curve` draws one, the later ones over the earlier ones.

        The points of all are one after the other in `x` and `y`, as many of each as `lengths` says:
        a cell can hold a hundred curves and is drawn at every tick, and it takes hardly longer
        to draw them all at once than to draw one.
        """
        if not len(x):
            return
        columns = x * (self.columns - 1)
        rows = (1 - y) * (self.rows - 1)
        of_point = np.repeat(np.arange(len(lengths)), lengths)
        is_finite = np.isfinite(rows) & np.isfinite(columns)
        # A stretch of points that are joined ends at a gap, and where the next line begins.
        joined = is_finite[1:] & is_finite[:-1] & (of_point[1:] == of_point[:-1])
        starts = np.flatnonzero(is_finite & ~np.concatenate(([False], joined)))
        stops = np.flatnonzero(is_finite & ~np.concatenate((joined, [False]))) + 1
        is_isolated = stops - starts == 1
        dots = (
            self._points(columns, rows, starts[is_isolated]),
            self._stretches(
                columns, rows, starts[~is_isolated], stops[~is_isolated], of_point, patterns
            ),
        )
        down, right, point = (np.concatenate(parts) for parts in zip(*dots, strict=True))
        line = of_point[point]
        if is_isolated.any():
            order = np.argsort(line, kind="stable")
            down, right, line = down[order], right[order], line[order]
        self._set(down, right, np.array(owners)[line], data=True)

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

    def _points(self, columns: Floats, rows: Floats, at: Ints) -> Dots:
        """A dot for each of the points `at`, of four dots where there is room."""
        size = 1 if self.ascii_only else 2
        left = columns[at].astype(np.int64) // size * size
        top = np.minimum(np.rint(rows[at]).astype(np.int64), self.rows - size)
        down, right = np.divmod(np.arange(size * size), size)
        return (
            (top[:, None] + down).ravel(),
            (left[:, None] + right).ravel(),
            np.repeat(at, size * size),
        )

    def _stretches(
        self,
        columns: Floats,
        rows: Floats,
        starts: Ints,
        stops: Ints,
        of_point: Ints,
        patterns: Sequence[Pattern],
    ) -> Dots:
        """The dots of the lines through the points from each of `starts` up to one of `stops`."""
        if not len(starts):
            nothing = np.empty(0, dtype=np.int64)
            return nothing, nothing, nothing
        left, right = columns[starts], columns[stops - 1]
        first = np.rint(left).astype(np.int64)
        widths = np.rint(right).astype(np.int64) - first + 1
        offsets = widths.cumsum() - widths
        number = np.arange(len(starts))
        which = number.repeat(widths)
        x = np.arange(len(which)) - (offsets - first)[which]
        # Methods and plain ufuncs in all of this: NumPy's functions around them take longer than
        # the work on so few numbers.
        counts = stops - starts
        ends = counts.cumsum()
        points = (starts - ends + counts).repeat(counts)
        points += np.arange(len(points))
        of_stretch = number.repeat(counts)
        # Side by side on one long axis, a single search serves them all.
        apart = 2.0 * self.columns
        targets = np.minimum(np.maximum(x, left[which]), right[which])
        axis = columns[points] + of_stretch * apart
        segment = axis.searchsorted(targets + which * apart, side="right")
        segment = points[np.minimum(segment, (ends - 1)[which])] - 1
        run = columns[segment + 1] - columns[segment]
        rise = rows[segment + 1] - rows[segment]
        part = np.divide(targets - columns[segment], run, out=np.zeros_like(run), where=run > 0)
        middle = rows[segment] + part * rise
        between = (middle[1:] + middle[:-1]) / 2
        before = np.concatenate((middle[:1], between))
        after = np.concatenate((between, middle[-1:]))
        before[offsets] = middle[offsets]
        after[offsets + widths - 1] = middle[offsets + widths - 1]
        low = np.minimum(np.minimum(before, after), middle)
        high = np.maximum(np.maximum(before, after), middle)
        crowded = (counts > widths / 2)[of_stretch]
        points, of_stretch = points[crowded], of_stretch[crowded]
        place = np.rint(columns[points]).astype(np.int64) - first[of_stretch]
        place = np.minimum(np.maximum(place, 0), (widths - 1)[of_stretch])
        place += offsets[of_stretch]
        np.minimum.at(low, place, rows[points])
        np.maximum.at(high, place, rows[points])
        on = _on_each(x, patterns, of_point[starts][which])
        top, bottom = np.ceil(low - 0.5), np.floor(high + 0.5)
        last = float(self.rows - 1)
        inside = on & (bottom >= 0.0) & (top <= last)
        top = np.minimum(np.maximum(top[inside], 0.0), last).astype(np.int64)
        bottom = np.minimum(np.maximum(bottom[inside], 0.0), last).astype(np.int64)
        # An exact half rounds to the next dot on one side and the last on the other.
        bottom = np.maximum(bottom, top)
        y, index = _fill(inside.nonzero()[0], top, bottom)
        return y, x[index], starts[which[index]]

    def _set(self, rows: Ints, columns: Ints, owner: int | Ints, *, data: bool) -> None:
        inside = (rows >= 0) & (rows < self.rows) & (columns >= 0) & (columns < self.columns)
        if not inside.all():
            rows, columns = rows[inside], columns[inside]
            owner = owner if isinstance(owner, int) else owner[inside]
        self._dots[data][rows, columns] = True
        # Of several owners of one character the last stays.
        self._owner[data][rows // self._per_y, columns // self._per_x] = owner


@lru_cache(maxsize=64)
def _columns_on(columns: int, pattern: Pattern) -> Ints:
    """Which columns of dots `pattern` draws; do not change the array."""
    return np.flatnonzero(np.array(pattern)[np.arange(columns) % len(pattern)])


def _on_each(columns: Ints, patterns: Sequence[Pattern], which: Ints) -> npt.NDArray[np.bool_]:
    """Which dots are drawn, where the dot in `columns[i]` has the pattern `patterns[which[i]]`."""
    if all(pattern == SOLID for pattern in patterns):
        return np.ones(len(columns), dtype=bool)
    table = _pattern_table(tuple(patterns))
    on: npt.NDArray[np.bool_] = table[which, columns % table.shape[1]]
    return on


@lru_cache(maxsize=64)
def _pattern_table(patterns: tuple[Pattern, ...]) -> npt.NDArray[np.bool_]:
    """Each pattern as often as makes them all equally long; do not change it."""
    period = math.lcm(*{len(pattern) for pattern in patterns})
    return np.array([pattern * (period // len(pattern)) for pattern in patterns])


def _fill(columns: Ints, top: Ints, bottom: Ints) -> tuple[Ints, Ints]:
    """Rows and columns of every dot from `top` to `bottom` in each column."""
    counts = np.maximum(bottom - top + 1, 0)
    starts = counts.cumsum() - counts
    rows = (top - starts).repeat(counts)
    rows += np.arange(len(rows))
    return rows, columns.repeat(counts)
