"""How many cells fit, how large they are, and which of them are in sight."""

from __future__ import annotations

from dataclasses import dataclass

from postertui.dashboard.charts.cell import MIN_HEIGHT, MIN_WIDTH

MAX_HEIGHT = 24
#: Where there is this much room, cells are wider than they need to be.
WIDE, MIN_WIDTH_IF_WIDE = 60, 25
#: And, where not all rows fit anyway, higher.
TALL, MIN_HEIGHT_IF_TALL = 36, 7


@dataclass(frozen=True)
class Tiling:
    """Cells of `width` × `height` in `across` columns and `down` rows; `gap` between columns."""

    across: int
    down: int
    width: int
    height: int
    gap: int = 1

    @property
    def page(self) -> int:
        return self.across * self.down


def tile(
    width: int, height: int, rows: int, columns: int, *, facet: bool, requested: int = 0
) -> Tiling:
    """The largest cells that show all of `rows` × `columns`, or as many as stay legible.

    Facets keep their columns; overlaid cells (`columns` is 1) wrap into as many columns as suit.
    `requested` is how many columns are asked for, 0 for as many as suit.
    """
    narrowest = MIN_WIDTH if width < WIDE else MIN_WIDTH_IF_WIDE
    most_across = max(1, (width + 1) // (narrowest + 1))
    most_down = max(1, height // MIN_HEIGHT)
    if facet and height >= TALL and rows > most_down:
        most_down = height // MIN_HEIGHT_IF_TALL
    if facet:
        across = max(1, min(columns, most_across, requested or columns))
        down = min(max(1, rows), most_down)
    else:
        across = (
            min(requested, most_across)
            if requested
            else _balanced(width, height, rows, most_across)
        )
        down = min(-(-max(1, rows) // across), most_down)
    return Tiling(
        across=across,
        down=down,
        width=(width + 1) // across - 1,
        height=max(1, min(MAX_HEIGHT if down > 1 else height, height // down)),
    )


def _balanced(width: int, height: int, cells: int, most_across: int) -> int:
    """Columns for `cells` so that cells are about three times as wide as high, and all fit."""
    best, best_cost = 1, float("inf")
    for across in range(1, min(most_across, max(1, cells)) + 1):
        down = -(-max(1, cells) // across)
        cell_width, cell_height = width / across, height / down
        hidden = max(0, down - height // MIN_HEIGHT)
        shape = cell_width / max(1.0, min(cell_height, MAX_HEIGHT))
        cost = hidden * 100 + abs(shape / 3 - 1) + (3 / shape if shape < 3 else 0)
        if cost < best_cost:
            best, best_cost = across, cost
    return best


def scroll_to(offset: int, selected: int, visible: int, total: int) -> int:
    """The least change of `offset` that brings `selected` into sight."""
    if selected < offset:
        offset = selected
    elif selected >= offset + visible:
        offset = selected - visible + 1
    return max(0, min(offset, total - visible))
