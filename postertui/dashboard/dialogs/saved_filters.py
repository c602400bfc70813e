"""Saved filters: choose one, save the present one, delete one."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.dialogs.prompt import PromptScreen
from postertui.dashboard.state.persistence import load_filters, save_filters
from postertui.dashboard.text_width import fit
from postertui.system.text import to_single_line

BUILT_IN = {
    "going on": "state:running,queued",
    "in trouble": "state:failed,interrupted or dead:yes",
    "done": "state:done",
}


class SavedFiltersScreen(ModalScreen[str | None]):
    """Gives the text of the chosen filter, or None."""

    BINDINGS = bindings("saved")

    def __init__(self, present: str) -> None:
        super().__init__()
        self._present = present
        self._saved = load_filters()
        self._texts: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide") as box:
            box.border_title = "filters"
            yield OptionList(id="filters", markup=False, compact=True)
            yield Static(
                "Enter applies · s saves the present one · d deletes · Esc back",
                classes="hint below",
                markup=False,
            )

    def on_mount(self) -> None:
        self._fill()

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        rows = [*sorted(self._saved.items()), *BUILT_IN.items(), ("everything", "")]
        self._texts = [text for _, text in rows]
        width = max(len(name) for name, _ in rows) + 2
        options.add_options(
            Option(Content(fit(to_single_line(name), min(width, 30)) + to_single_line(text, 200)))
            for name, text in rows
        )
        options.highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._texts[event.option_index])

    @work
    async def action_save(self) -> None:
        if not self._present.strip():
            self.app.notify("the filter is empty: press / and write one first", markup=False)
            return
        name = await self.app.push_screen_wait(
            PromptScreen(f"Save  {to_single_line(self._present, 60)}  as", hint="a name")
        )
        if name and name.strip():
            self._saved[to_single_line(name.strip(), 40)] = self._present
            self._keep()

    def action_delete(self) -> None:
        index = self.query_one(OptionList).highlighted
        names = sorted(self._saved)
        if index is not None and index < len(names):
            del self._saved[names[index]]
            self._keep()

    def _keep(self) -> None:
        if not save_filters(self._saved):
            self.app.notify("the filters could not be saved", severity="error", markup=False)
        self._fill()
