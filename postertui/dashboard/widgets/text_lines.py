"""A few lines of styled text."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from postertui.dashboard.terminal.theme import ThemeStyles
from postertui.dashboard.widgets.line_widget import LineWidget

Row = Sequence[tuple[str, str]]


class TextLines(LineWidget):
    """Shows at most `height` rows of (text, style)."""

    can_focus = False

    def __init__(self, theme: ThemeStyles, height: int, *, id: str | None = None) -> None:
        super().__init__(theme, id=id)
        self.height = height
        self._rows: Sequence[Row] = ()

    def resize_to(self, height: int) -> None:
        """Take this many lines of the screen from now on."""
        self.height = height
        self.styles.height = height

    def show(self, rows: Sequence[Row]) -> None:
        if rows != self._rows:
            self._rows = rows
            self.redraw()

    def redraw(self) -> None:
        self.lines = [self.strip(row) for row in self._rows]
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self.redraw()
