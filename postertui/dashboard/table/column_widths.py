"""Which columns of the table find room, and how wide each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.table.columns import COLUMNS, RunColumn
from postertui.dashboard.text_width import cells

#: A longer genre or variant is cut.
WIDEST_NAME = 24


@dataclass(frozen=True)
class PlacedColumn:
    """A column with the width it got."""

    column: RunColumn
    width: int


def needed_widths(runs: Sequence[RunView]) -> dict[str, int]:
    """By the columns that say something of `runs`, the width in which nothing of them is cut."""
    return {c.id: _needed_width(c, runs) for c in COLUMNS if _is_needed(c, runs)}


def place(width: int, needs: Mapping[str, int]) -> list[PlacedColumn]:
    """The columns that fit into `width`, most important first, the names as wide as they need.

    A name is cut only for the most important columns (rank 1 and 2). `needs` are the
    `needed_widths` of the runs.
    """
    columns = [c for c in COLUMNS if c.id in needs]
    while len(columns) > 1:
        least = max(columns, key=lambda c: c.rank)
        widths = (c.width if c.stretch and least.rank <= 2 else needs[c.id] for c in columns)
        if sum(w + 1 for w in widths) - 1 <= width:
            break
        columns.remove(least)
    placed = {c.id: c.width if c.stretch else needs[c.id] for c in columns}
    diff = width - (sum(w + 1 for w in placed.values()) - 1)
    stretching = sorted((c for c in columns if c.stretch), key=lambda c: needs[c.id] - c.width)
    for i, column in enumerate(stretching):
        extra = max(0, min(needs[column.id] - column.width, diff // (len(stretching) - i)))
        placed[column.id] += extra
        diff -= extra
    return [PlacedColumn(c, placed[c.id]) for c in columns]


def _needed_width(column: RunColumn, runs: Sequence[RunView]) -> int:
    if column.id in ("epoch", "best"):
        digits = len(str(max((max(run.epoch, run.epochs or 0) for run in runs), default=0)))
        longest = len("/") + 2 * digits if column.id == "epoch" else len(".123@") + digits
        return max(column.width, longest)
    if not column.stretch:
        return column.width
    longest = max((cells(column.cell(run)[0]) for run in runs[:2000]), default=0)
    return max(column.width, min(longest, WIDEST_NAME))


def _is_needed(column: RunColumn, runs: Sequence[RunView]) -> bool:
    match column.id:
        case "seed":
            return len({r.seed for r in runs}) > 1
        case "dead":
            return any(r.dead for r in runs)
        case "tags":
            return any(r.tags for r in runs)
        case "device":
            return any(r.device and r.is_live for r in runs) or len({r.device for r in runs}) > 1
        case "remaining":
            return any(r.is_live and r.epochs for r in runs)
        case "seconds":
            return any(r.seconds is not None for r in runs)
    return True
