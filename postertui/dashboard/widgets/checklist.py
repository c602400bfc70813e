"""A list to tick."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widgets import SelectionList

from postertui.dashboard.actions.registry import bindings


class Checklist(SelectionList[str]):
    """A list whose ticks differ by more than colour: `[x]` and `[ ]`."""

    BINDINGS = bindings("ticks")

    def render_line(self, y: int) -> Strip:
        # The grandparent's line: the parent draws an X that only colour switches on and off.
        line = super(SelectionList, self).render_line(y)
        index = round(self.scroll_offset.y) + y
        if index >= self.option_count:
            return line
        ticked = self.get_option_at_index(index).value in self._selected
        style = next(iter(line)).style
        return Strip([Segment("[x] " if ticked else "[ ] ", style), *line])

    def _get_left_gutter_width(self) -> int:
        return 4
