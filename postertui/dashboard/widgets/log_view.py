"""The log on the screen: follows its end, scrolls both ways, marks what was searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.monitoring.log_reader import LogReader, find_line

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


class LogView(ScrollView, can_focus=True):
    """The lines of `reader`; stays at the end until the user scrolls up."""

    BINDINGS = bindings("log")

    def __init__(self, theme: ThemeStyles, reader: LogReader) -> None:
        super().__init__()
        self.theme = theme
        self.reader = reader
        self.lines: list[str] = []
        self.search_text = ""
        self.hit: int | None = None
        self.empty = "no log yet"
        self._following = True

    def on_mount(self) -> None:
        self.read()
        self.set_interval(0.5, self.read)

    def read(self) -> None:
        """Show what was appended."""
        at_end = self.scroll_offset.y >= self.max_scroll_y - 1
        if not self.reader.read() and self.lines:
            return
        self.lines = self.reader.all_lines()
        width = max((len(line) for line in self.lines), default=1)
        self.virtual_size = Size(width + 2, max(1, len(self.lines)))
        self.refresh()
        if at_end and self._following:
            self.call_after_refresh(self.scroll_end, animate=False)

    def action_follow(self) -> None:
        self._following = True
        self.scroll_end(animate=False)

    def action_scroll_up(self) -> None:
        self._following = False
        super().action_scroll_up()

    def action_page_up(self) -> None:
        self._following = False
        super().action_page_up()

    def action_scroll_home(self) -> None:
        self._following = False
        super().action_scroll_home()

    def seek(self, text: str, step: int = 1) -> bool:
        """Go to the next line with `text`; whether there is one."""
        start = self.hit + step if self.hit is not None and text == self.search_text else (
            round(self.scroll_offset.y)
        )  # fmt: skip
        self.search_text = text
        self.hit = find_line(self.lines, text, start, step) if self.lines else None
        if self.hit is not None:
            self._following = False
            self.scroll_to(y=max(0, self.hit - self.size.height // 2), animate=False)
        self.refresh()
        return self.hit is not None

    def render_line(self, y: int) -> Strip:
        base = self.theme["on-background"]
        left, top = round(self.scroll_offset.x), round(self.scroll_offset.y)
        width, index = self.size.width, top + y
        if index >= len(self.lines):
            text = f" ({self.empty})" if index == 0 else ""
            strip = Strip([Segment(text, self.theme.over(base, "dim"))])
            return strip.adjust_cell_length(width, base)
        line = " " + self.lines[index]
        style = self.theme.over(base, "highlight" if index == self.hit else "text")
        parts: list[Segment] = []
        rest, needle = line, self.search_text.lower()
        while needle and (at := rest.lower().find(needle)) >= 0 and len(rest.lower()) == len(rest):
            parts.append(Segment(rest[:at], style))
            parts.append(Segment(rest[at : at + len(needle)], self.theme["selected"]))
            rest = rest[at + len(needle) :]
        parts.append(Segment(rest, style))
        return Strip(parts).crop_extend(left, left + width, base)
