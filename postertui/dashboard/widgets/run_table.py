"""The table on the screen: a list on the Line API that renders only the rows in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.table.column_widths import PlacedColumn, needed_widths, place
from postertui.dashboard.table.columns import NO_FACTS
from postertui.dashboard.table.group_means import GroupMean
from postertui.dashboard.table.row_names import distinct_cuts, variant_names
from postertui.dashboard.table.rows import GroupRow, TableRow, ordered
from postertui.dashboard.text_width import StyledText, cells, fit
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles

GUTTER = 1


class RunTable(ScrollView, can_focus=True):
    """All shown runs. The cursor stays on its run when rows move."""

    BINDINGS = bindings("table")

    class Moved(Message):
        """The cursor is on another run (None on a group's head)."""

        def __init__(self, run: RunView | None) -> None:
            super().__init__()
            self.run = run

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, RunTable.Moved)

    class Opened(Message):
        """Enter or a second click on a run."""

        def __init__(self, run: RunView) -> None:
            super().__init__()
            self.run = run

    class SortRequested(Message):
        """A click on a column's head."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, theme: ThemeStyles, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.theme = theme
        self.rows: list[TableRow] = []
        self._index: dict[str, int] = {}
        self._placed: list[PlacedColumn] = []
        self._options = ViewOptions()
        self._pinned: AbstractSet[str] = frozenset()
        self._marked: AbstractSet[str] = frozenset()
        self._at = 0
        self._name: str | None = None
        self.empty: Sequence[str] = ()
        self.facts = NO_FACTS
        self._names: dict[str, str] = {}
        self._needs: Mapping[str, int] | None = None
        self._cuts: dict[str, dict[str, str]] = {}

    @property
    def current(self) -> RunView | None:
        """The run under the cursor."""
        row = self.rows[self._at] if self._at < len(self.rows) else None
        return row if isinstance(row, RunView) else None

    @property
    def names_in_sight(self) -> set[str]:
        """The names of the runs whose rows are on the screen."""
        top = round(self.scroll_offset.y)
        rows = self.rows[top : top + max(0, self.size.height - 1)]
        return {row.name for row in rows if isinstance(row, RunView)}

    @property
    def cursor_row(self) -> TableRow | None:
        return self.rows[self._at] if self._at < len(self.rows) else None

    def show(
        self,
        runs: Sequence[RunView],
        options: ViewOptions,
        pinned: AbstractSet[str] = frozenset(),
        marked: AbstractSet[str] = frozenset(),
        means: Mapping[str, GroupMean] | None = None,
    ) -> None:
        """Show `runs` in the order of `options`; `means` are those of its groups."""
        self._options, self._pinned, self._marked = options, pinned, marked
        self.rows = ordered(runs, options, pinned, self.facts, means)
        self._names = variant_names(runs)
        self._needs = None
        self._index = {r.name: i for i, r in enumerate(self.rows) if isinstance(r, RunView)}
        self._at = min(self._index.get(self._name or "", self._at), max(0, len(self.rows) - 1))
        if self._name is None and isinstance(self.cursor_row, GroupRow) and len(self.rows) > 1:
            self._at = 1
        self._place()
        self.refresh()
        self._notify_moved()

    def update_runs(self, changed: dict[str, RunView]) -> None:
        """New snapshots of shown runs, whose order stays as it is."""
        regions = []
        self._needs = None
        top, height = round(self.scroll_offset.y), self.size.height - 1
        for name, run in changed.items():
            index = self._index.get(name)
            if index is None:
                continue
            self.rows[index] = run
            if top <= index < top + height:
                regions.append(Region(0, index - top + 1, self.size.width, 1))
        if regions:
            self.refresh(*regions)
        if self._name in changed:
            self._notify_moved()

    def go_to(self, name: str) -> None:
        """Put the cursor on the run `name`, if it is shown."""
        if name in self._index:
            self._put(self._index[name])

    def on_resize(self, event: events.Resize) -> None:
        self._place()

    def natural_width(self, most: int) -> int:
        """The width, up to `most`, in which all columns find room that do in `most`."""
        placed = place(most - 2 * GUTTER - 1, self._needed_widths())
        return min(most, sum(p.width + 1 for p in placed) + 2 * GUTTER + 1)

    def _needed_widths(self) -> Mapping[str, int]:
        if self._needs is None:
            self._needs = needed_widths([r for r in self.rows if isinstance(r, RunView)])
        return self._needs

    def _place(self) -> None:
        width = max(1, self.size.width - 2 * GUTTER - 1)
        runs = [r for r in self.rows if isinstance(r, RunView)]
        self._placed = place(width, self._needed_widths())
        texts = {
            "genre": {r.genre for r in runs},
            "variant": {self._names.get(r.name, r.variant) for r in runs},
        }
        self._cuts = {
            placed.column.id: distinct_cuts(texts[placed.column.id], placed.width)
            for placed in self._placed
            if placed.column.id in texts
        }
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        self._scroll_to_cursor()

    def _put(self, index: int) -> None:
        index = max(0, min(index, len(self.rows) - 1))
        if index == self._at:
            return
        top = round(self.scroll_offset.y)
        before = self._row_region()
        self._at = index
        row = self.cursor_row
        self._name = row.name if isinstance(row, RunView) else None
        self._scroll_to_cursor()
        if round(self.scroll_offset.y) == top:
            self.refresh(before, self._row_region())
        else:
            self.refresh()
        self._notify_moved()

    def _notify_moved(self) -> None:
        run = self.current
        if run is not None:
            self._name = run.name
        self.post_message(self.Moved(run))

    def _scroll_to_cursor(self) -> None:
        top, height = round(self.scroll_offset.y), max(1, self.size.height - 1)
        if self._at < top:
            self.scroll_to(y=self._at, animate=False)
        elif self._at >= top + height:
            self.scroll_to(y=self._at - height + 1, animate=False)

    def action_move(self, by: int) -> None:
        self._put(self._at + by)

    def action_page(self, by: int) -> None:
        self._put(self._at + by * max(1, self.size.height - 2))

    def action_end(self, to: int) -> None:
        self._put(0 if to < 0 else len(self.rows) - 1)

    def action_open(self) -> None:
        if (run := self.current) is not None:
            self.post_message(self.Opened(run))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            x = GUTTER + 1
            for placed in self._placed:
                if x <= offset.x < x + placed.width + 1:
                    self.post_message(self.SortRequested(placed.column.id))
                    return
                x += placed.width + 1
            return
        index = round(self.scroll_offset.y) + offset.y - 1
        if index < len(self.rows):
            self._put(index)
            if event.chain == 2:
                self.action_open()

    def _row_region(self) -> Region:
        """Where the row under the cursor is."""
        return Region(0, self._at - round(self.scroll_offset.y) + 1, self.size.width, 1)

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Only the cursor looks different; Textual would style and draw every row again."""
        self.refresh(self._row_region())

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.theme["on-surface"]
        if y == 0:
            parts = self._head()
        else:
            index = round(self.scroll_offset.y) + y - 1
            if index < len(self.rows):
                row = self.rows[index]
                if index == self._at:
                    base = self.theme["cursor-row" if self.has_focus else "cursor-row-blurred"]
                parts = self._group(row, width) if isinstance(row, GroupRow) else self._run(row)
            else:
                text = self.empty[y - 2] if not self.rows and 0 <= y - 2 < len(self.empty) else ""
                parts = [("  " + text, "dim")]
        strip = Strip([Segment(text, self.theme.over(base, style)) for text, style in parts])
        return strip.adjust_cell_length(width, base)

    def _head(self) -> list[StyledText]:
        parts: list[StyledText] = [(" " * (GUTTER + 1), "blank")]
        for placed in self._placed:
            column = placed.column
            title, style, gap = column.title, "dim", " "
            if column.id == self._options.sort:
                arrow, style = "↓" if self._options.reverse else "↑", "accent"
                # A title that fills its column keeps its letters.
                if len(title) < placed.width:
                    title += arrow
                else:
                    gap = arrow
            parts.append((fit(title, placed.width, right=column.right) + gap, style))
        return parts

    def _run(self, run: RunView) -> list[StyledText]:
        mark = "●" if run.name in self._marked else "★" if run.name in self._pinned else " "
        parts: list[StyledText] = [(" " * GUTTER + mark, "accent")]
        for placed in self._placed:
            text, style = placed.column.cell(run, self.facts)
            if placed.column.id == "variant":
                text = self._names.get(run.name, text)
            if text.isascii():
                text = self._cuts.get(placed.column.id, {}).get(text, text)
            parts.append((fit(text, placed.width, right=placed.column.right) + " ", style))
        return parts

    def _group(self, row: GroupRow, width: int) -> list[StyledText]:
        value = "no value yet" if row.mean is None else str(row.mean)
        tail = f" {pluralize(row.runs, 'run')}  {value} "
        if row.mean is not None and len(tail) + cells(row.title) + 1 > width:
            tail = f" {row.mean.short} "
        return [(fit(f" {row.title}", max(0, width - len(tail))), "bold"), (tail, "dim")]
