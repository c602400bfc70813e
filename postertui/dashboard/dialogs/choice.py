"""One of several choices, each with a letter of its own."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from postertui.dashboard.actions.registry import bindings
from postertui.system.text import to_single_line


class ChoiceScreen(ModalScreen[str | None]):
    """Lists `choices` (value to label); a letter or Enter chooses, Esc gives None."""

    BINDINGS = bindings("choice")

    def __init__(self, title: str, choices: Mapping[str, str], current: str = "") -> None:
        super().__init__()
        self._title, self._choices, self._current = title, choices, current
        self._letters = assign_letters(list(choices.values()))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            box.border_subtitle = "a letter chooses · Esc back"
            yield OptionList(
                *(
                    Option(Content(f" {letter}  {to_single_line(label, 60)}"))
                    for letter, label in zip(self._letters, self._choices.values(), strict=True)
                ),
                markup=False,
                compact=True,
            )

    def on_mount(self) -> None:
        values = list(self._choices)
        if self._current in values:
            self.query_one(OptionList).highlighted = values.index(self._current)

    def on_key(self, event: events.Key) -> None:
        if event.character in self._letters and event.character.strip():
            event.stop()
            self._choose(self._letters.index(event.character))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option_index)

    def _choose(self, index: int) -> None:
        self.dismiss(list(self._choices)[index])


def assign_letters(labels: list[str]) -> list[str]:
    """A letter or digit for each label: one of its own where it is free, blank past the last."""
    letters: list[str] = []
    for label in labels:
        candidates = (c for c in label.lower() + "abcdefghijklmnopqrstuvwxyz0123456789")
        free = (c for c in candidates if c.isascii() and c.isalnum() and c not in letters)
        letters.append(next(free, " "))
    return letters
