"""A widget whose lines are kept ready."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from postertui.dashboard.text_width import cells

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


class LineWidget(Widget):
    """Shows `lines`. They have their colours, and there must be nothing around them."""

    def __init__(self, theme: ThemeStyles, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.theme = theme
        self.lines: list[Strip] = []

    def strip(self, row: Iterable[tuple[str, str]]) -> Strip:
        """Texts and the names of their styles as a line."""
        base = self.theme["on-background"]
        over = self.theme.over
        segments = [Segment(text, over(base, style)) for text, style in row]
        # Textual would look at every character of a curve to know how wide it is.
        strip = Strip(segments, sum(cells(segment.text) for segment in segments))
        return strip.adjust_cell_length(self.size.width, base)

    def render_line(self, y: int) -> Strip:
        if y < len(self.lines):
            return self.lines[y]
        return Strip.blank(self.size.width, self.theme["on-background"])

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines as they are: Textual would style every segment once more."""
        strips = [self.render_line(y) for y in crop.line_range]
        # Before the filters: most of what is sent is a few characters of a line.
        if crop.column_span != (0, self.size.width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        # A theme has no colours that a terminal could choose.
        filters = [f for f in self.get_line_filters() if not isinstance(f, ANSIToTruecolor)]
        if filters:
            background = self.background_colors[1]
            for line_filter in filters:
                strips = [strip.apply_filter(line_filter, background) for strip in strips]
        return strips
