"""The first line: which folder, how the runs stand, how long it takes, how busy the machine is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from postertui.dashboard.text_width import StyledText, cells, fit
from postertui.dashboard.widgets.single_line import SingleLine

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


class TopBar(SingleLine):
    """Left what is shown, right what the machine does; the right gives way first.

    Where not all of the right has room, `narrow` stands in for it.
    """

    def __init__(self, theme: ThemeStyles) -> None:
        super().__init__()
        self.theme = theme
        self._left: tuple[StyledText, ...] = ()
        self._right: tuple[StyledText, ...] = ()
        self._narrow: tuple[StyledText, ...] = ()

    def show(
        self,
        left: tuple[StyledText, ...],
        right: tuple[StyledText, ...],
        narrow: tuple[StyledText, ...] = (),
    ) -> None:
        if (left, right, narrow) != (self._left, self._right, self._narrow):
            self._left, self._right, self._narrow = left, right, narrow
            self.redraw()

    @property
    def text(self) -> str:
        return "".join(t for t, _ in (*self._left, *self._right))

    def _draw(self) -> Strip:
        width = self.size.width
        # Where it is matters least; how the runs stand comes next.
        fitting = list(self._left)
        while len(fitting) > 2 and sum(cells(t) for t, _ in fitting) > width:
            fitting.pop(1)
        left = sum(cells(t) for t, _ in fitting)
        right = list(self._right)
        if self._narrow and left + sum(cells(t) for t, _ in right) + 1 > width:
            right = list(self._narrow)
        while right and left + sum(cells(t) for t, _ in right) + 1 > width:
            right.pop(0)
        gap = max(0, width - left - sum(cells(t) for t, _ in right))
        parts = [Segment(t, self.theme["bar-fill"] + self.theme[s]) for t, s in fitting]
        parts.append(Segment(fit("", gap), self.theme["bar-fill"]))
        parts.extend(Segment(t, self.theme["bar-fill"] + self.theme[s]) for t, s in right)
        return Strip(parts).adjust_cell_length(width, self.theme["bar-fill"])
