"""`?`: every key, by region, and what the marks mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from postertui.dashboard.actions.help_sections import Section
from postertui.dashboard.actions.registry import bindings

#: From this width on there are two columns.
WIDE = 150


class HelpScreen(ModalScreen[None]):
    """Lists `sections` of (key, what it does) and, where it can have another key, its id."""

    BINDINGS = bindings("help")

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide") as box:
            box.border_title = "keys"
            box.border_subtitle = "/ finds · Esc closes"
            yield Input(placeholder="a word of a key's description", id="help-search", compact=True)
            with VerticalScroll(can_focus=True, id="help-text"), Horizontal(id="help-columns"):
                yield Vertical(classes="help-column")
                yield Vertical(classes="help-column")

    def on_mount(self) -> None:
        self.query_one("#help-search", Input).display = False
        self.query_one("#help-text").focus()

    def on_resize(self) -> None:
        """Give each column what room there is now."""
        is_wide = self.app.size.width >= WIDE
        self.set_class(is_wide, "two-columns")
        self._show_matching()

    @property
    def _column_width(self) -> int:
        """The characters of a line in a column."""
        if self.app.size.width >= WIDE:
            return (self.app.size.width * 95 // 100 - 6) // 2
        return min(100, self.app.size.width * 95 // 100) - 6

    def _fill(self, sections: Sequence[Section]) -> None:
        """Show these sections, half of the lines in each column where there are two."""
        left, right = self.query(".help-column").results(Vertical)
        total = sum(len(lines) + 2 for _, lines in sections)
        columns: tuple[list[Static], list[Static]] = ([], [])
        used = 0
        for title, lines in sections:
            second = self.app.size.width >= WIDE and used >= total / 2
            columns[second].extend(_widgets(title, lines, self._column_width))
            used += len(lines) + 2
        for column, widgets in zip((left, right), columns, strict=True):
            column.remove_children()
            column.mount(*widgets)
            column.display = bool(widgets)

    def on_input_changed(self) -> None:
        self._show_matching()

    def _show_matching(self) -> None:
        """Show the entries that have every word of the search."""
        words = self.query_one("#help-search", Input).value.lower().split()
        sections = [
            (title, [e for e in lines if all(w in f"{title} {' '.join(e)}".lower() for w in words)])
            for title, lines in self._sections
        ]
        self._fill([(title, lines) for title, lines in sections if lines])

    def on_input_submitted(self) -> None:
        self.query_one("#help-text").focus()

    def action_search(self) -> None:
        search = self.query_one("#help-search", Input)
        search.display = True
        search.focus()

    def action_scroll(self, by: int) -> None:
        self.query_one("#help-text", VerticalScroll).scroll_relative(y=by * 3, animate=False)


def _widgets(title: str, lines: Sequence[tuple[str, ...]], room: int) -> Iterator[Static]:
    """A section in lines of `room` characters; an id that has no room there goes below."""
    yield Static(title, classes="section", markup=False)
    width = max(len(entry[0]) for entry in lines)
    described = min(42, max(len(entry[1]) for entry in lines))
    text = Text()
    for key, description, *ids in lines:
        text.append(key.rjust(width), style="bold")
        text.append(f"  {description.ljust(described)}")
        name = ids[0] if ids else ""
        if name and width + 4 + max(described, len(description)) + len(name) > room:
            text.append("\n" + " " * (width + 2))
        text.append(f"  {name}\n" if name else "\n", style="dim")
    text.right_crop(1)
    yield Static(text, classes="keys")
