"""A question with two answers, or three."""

from __future__ import annotations

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from postertui.dashboard.actions.registry import bindings

Answer = Literal["yes", "narrower", "no"]


class ConfirmScreen(ModalScreen[Answer]):
    """Asks `question`; `y` says yes, `q` only to the part `narrower`, Esc or `n` no."""

    BINDINGS = bindings("confirm")

    def __init__(self, question: str, yes: str, detail: str = "", narrower: str = "") -> None:
        super().__init__()
        self.question, self.yes, self.detail, self.narrower = question, yes, detail, narrower

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self.question, classes="question", markup=False)
            if self.detail:
                yield Static(self.detail, classes="hint", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(f"{self.yes} (y)", variant="error", id="yes", compact=True)
                if self.narrower:
                    yield Button(f"{self.narrower} (q)", id="narrower", compact=True)
                yield Button("Keep (n)", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_answer(event.button.id or "no")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if parameters == ("narrower",):
            return bool(self.narrower)
        return super().check_action(action, parameters)

    def action_answer(self, answer: str) -> None:
        self.dismiss("yes" if answer == "yes" else "narrower" if answer == "narrower" else "no")
