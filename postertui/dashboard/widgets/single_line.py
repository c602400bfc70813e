"""A line of the screen that is drawn once and kept until what it shows changes."""

from __future__ import annotations

from textual import events
from textual.strip import Strip
from textual.widget import Widget


class SingleLine(Widget):
    """A widget of one line; `redraw` drops the kept one."""

    can_focus = False

    def __init__(self) -> None:
        super().__init__()
        self._line: Strip | None = None

    def on_resize(self, event: events.Resize) -> None:
        self.redraw()

    def redraw(self) -> None:
        self._line = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if self._line is None:
            self._line = self._draw()
        return self._line

    def _draw(self) -> Strip:
        """The line as it is now."""
        raise NotImplementedError
