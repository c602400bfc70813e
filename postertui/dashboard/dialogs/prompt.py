"""One line of text from the user."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from postertui.dashboard.actions.registry import bindings


class PromptScreen(ModalScreen[str | None]):
    """Asks for a line; Enter gives it, Esc None. `check` says what is wrong with it, or ``."""

    BINDINGS = bindings("prompt")

    def __init__(
        self,
        title: str,
        value: str = "",
        hint: str = "",
        check: Callable[[str], str] = lambda _: "",
    ) -> None:
        super().__init__()
        self._title, self._value, self._hint, self._check = title, value, hint, check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="question", markup=False)
            yield Input(self._value, compact=True, select_on_focus=False)
            yield Static(self._hint, classes="hint below", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show_hint(self._check(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        problem = self._check(event.value)
        if problem:
            self._show_hint(problem)
        else:
            self.dismiss(event.value)

    def _show_hint(self, problem: str) -> None:
        hint = self.query_one(".hint", Static)
        hint.update(problem or self._hint)
        hint.set_class(bool(problem), "wrong")
