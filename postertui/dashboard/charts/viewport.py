"""Which cells of the grid are visible: their rows and columns, and which one is selected."""

from __future__ import annotations

from postertui.dashboard.charts.tiling import Tiling, scroll_to, tile
from postertui.dashboard.state.arrangement import Arrangement, Key
from postertui.dashboard.state.view_options import ViewOptions


class GridViewport:
    """A window of `tiling` on rows and columns of cells, `offset` cells down and to the right.

    Facets keep their rows and columns; those of a single genre, and overlaid cells, wrap into as
    many columns as there is room for.
    """

    def __init__(self) -> None:
        self.arrangement = Arrangement()
        self.options = ViewOptions()
        self.tiling = Tiling(1, 1, 1, 1)
        self.selected = (0, 0)
        self.offset = (0, 0)

    @property
    def facet(self) -> bool:
        return self.options.mode == "facet"

    @property
    def wraps(self) -> bool:
        return not self.facet or len(self.arrangement.rows) == 1

    @property
    def top(self) -> int:
        """Lines above the first cell."""
        return 1 if self.wraps else 2

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells, those out of sight included."""
        rows, columns = len(self.arrangement.rows), len(self.arrangement.columns)
        if not self.wraps:
            return rows, columns
        count = rows * columns
        return -(-count // self.tiling.across), min(count, self.tiling.across)

    def key_at(self, row: int, column: int) -> Key | None:
        """What the cell shows; None past the last one."""
        rows, columns = self.arrangement.rows, self.arrangement.columns
        if not self.wraps:
            if row < len(rows) and column < len(columns):
                return self.arrangement.key(row, column)
            return None
        index = row * self.tiling.across + column
        if index >= len(rows) * len(columns):
            return None
        return rows[index // len(columns)], columns[index % len(columns)]

    @property
    def selected_key(self) -> Key | None:
        return self.key_at(*self.selected)

    def visible_cells(self) -> list[tuple[int, int]]:
        """(row, column) of the cells on the screen."""
        (top, left), (rows, columns) = self.offset, self.cells
        return [
            (row, column)
            for row in range(top, min(rows, top + self.tiling.down))
            for column in range(left, min(columns, left + self.tiling.across))
        ]

    def visible_keys(self) -> list[Key]:
        return [key for cell in self.visible_cells() if (key := self.key_at(*cell)) is not None]

    def fit(self, width: int, height: int) -> None:
        """Tile `width` × `height` characters; the selected cell stays in sight."""
        rows, columns = len(self.arrangement.rows), len(self.arrangement.columns)
        self.tiling = tile(
            max(1, width - 1),
            max(1, height - self.top),
            rows * columns if self.wraps else rows,
            1 if self.wraps else columns,
            facet=not self.wraps,
            requested=self.options.columns,
        )
        rows, columns = self.cells
        row, column = self.selected
        self.selected = (max(0, min(row, rows - 1)), max(0, min(column, columns - 1)))
        self.follow()

    def follow(self) -> None:
        """Scroll as little as brings the selected cell into sight."""
        rows, columns = self.cells
        (row, column), (top, left) = self.selected, self.offset
        self.offset = (
            scroll_to(top, row, self.tiling.down, rows),
            scroll_to(left, column, self.tiling.across, columns),
        )
