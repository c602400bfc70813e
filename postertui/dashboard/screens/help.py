"""`?`: every key, by region, and what the marks mean."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from postertui.dashboard.actions.registry import bindings

Section = tuple[str, Sequence[tuple[str, ...]]]


class HelpScreen(ModalScreen[None]):
    """Lists `sections` of (key, what it does) and, where it can have another key, its id."""

    BINDINGS = bindings("help")

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog wide", can_focus=True) as box:
            box.border_title = "keys"
            box.border_subtitle = "Esc closes"
            for title, keys in self._sections:
                yield Static(title, classes="section", markup=False)
                width = max(len(entry[0]) for entry in keys)
                described = min(42, max(len(entry[1]) for entry in keys))
                text = Text()
                for key, description, *ids in keys:
                    text.append(key.rjust(width), style="bold")
                    text.append(f"  {description.ljust(described)}")
                    text.append("".join(f"  {name}" for name in ids) + "\n", style="dim")
                text.right_crop(1)
                yield Static(text, classes="keys")

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by * 3, animate=False)
