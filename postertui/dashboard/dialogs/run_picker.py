"""Choosing one run out of many, by typing some of its words."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.number_format import score
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.text_width import fit

MOST = 200


class RunPicker(ModalScreen[RunView | None]):
    """Lists `runs`; typing narrows, Enter chooses, Esc gives None."""

    BINDINGS = bindings("picker")

    def __init__(self, title: str, runs: Sequence[RunView]) -> None:
        super().__init__()
        self._title, self._runs = title, runs
        self._shown: list[RunView] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            yield Input(placeholder="genre, variant, state …", compact=True)
            yield OptionList(markup=False, compact=True)

    def on_mount(self) -> None:
        self._fill("")

    def _fill(self, text: str) -> None:
        words = text.lower().split()
        self._shown = [
            run
            for run in self._runs
            if all(w in f"{run.genre} {run.variant} {run.state} s{run.seed}".lower() for w in words)
        ][:MOST]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(
            Option(Content(
                f"{fit(r.genre, 16)} {fit(r.variant, 18)} s{r.seed} "
                f"{score(r.newest()):>5} {r.state}"
            ))
            for r in self._shown
        )  # fmt: skip
        if self._shown:
            options.highlighted = 0

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def on_input_submitted(self) -> None:
        index = self.query_one(OptionList).highlighted
        self.dismiss(self._shown[index] if index is not None and self._shown else None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index])

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if self._shown:
            options.highlighted = ((options.highlighted or 0) + by) % len(self._shown)
