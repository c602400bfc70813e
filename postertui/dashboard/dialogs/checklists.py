"""Variants and genres to tick, with how many runs each has; applied as they are ticked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import SelectionList, Static
from textual.widgets.selection_list import Selection

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.state.view_model import ViewModel
from postertui.dashboard.text_width import fit
from postertui.dashboard.widgets.checklist import Checklist

FIELDS = ("genre", "variant")


class ChecklistScreen(ModalScreen[None]):
    """Two lists side by side, of a field's values each.

    Parameters
    ----------
    exclude
        Called after every tick with a field and its values that are not ticked.
    """

    BINDINGS = bindings("checklists")

    def __init__(self, model: ViewModel, exclude: Callable[[str, tuple[str, ...]], object]) -> None:
        super().__init__()
        self._model = model
        self._exclude = exclude
        self._filling = True

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide") as box:
            box.border_title = "what to show"
            with Horizontal(classes="checklists"):
                for field in FIELDS:
                    yield Checklist(*self._selections(field), id=field, compact=True)
            yield Static(
                "Space ticks · a all · n none · o only this · Tab other · Esc",
                classes="hint below",
                markup=False,
            )

    def _selections(self, field: str) -> list[Selection[str]]:
        counts = Counter(getattr(run, field) for run in self._model.runs.values())
        without = self._model.options.without.get(field, ())
        width = max([8, *(len(v) for v in counts)])
        return [
            Selection(Content(f"{fit(value, min(width, 26))} {counts[value]:>4}"), value,
                      value not in without)
            for value in sorted(counts, key=natural_key)
        ]  # fmt: skip

    def on_mount(self) -> None:
        for field in FIELDS:
            self.query_one(f"#{field}", SelectionList).border_title = f"{field}s"
        self._filling = False

    def on_selection_list_selected_changed(self, event: SelectionList.SelectedChanged[str]) -> None:
        if self._filling:
            return
        ticks = event.selection_list
        every = [ticks.get_option_at_index(i).value for i in range(ticks.option_count)]
        chosen = set(ticks.selected)
        without = tuple(v for v in every if v not in chosen)
        self._exclude(ticks.id or "", without)

    @property
    def _list(self) -> SelectionList[str]:
        focused = self.focused
        if isinstance(focused, SelectionList):
            return focused
        return self.query_one(f"#{FIELDS[0]}", SelectionList)

    def action_all(self) -> None:
        self._list.select_all()

    def action_none(self) -> None:
        self._list.deselect_all()

    def action_only(self) -> None:
        ticks = self._list
        if ticks.highlighted is not None:
            value = ticks.get_option_at_index(ticks.highlighted).value
            ticks.deselect_all()
            ticks.select(value)
