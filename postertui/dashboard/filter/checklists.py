"""Variants and genres to tick, with how many runs each has; applied as they are ticked."""

from __future__ import annotations

from collections import Counter

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import SelectionList, Static
from textual.widgets.selection_list import Selection

from postertui.dashboard.charts.panels import natural
from postertui.dashboard.model import Model
from postertui.dashboard.safe import fit

FIELDS = ("genre", "variant")


class Ticks(SelectionList[str]):
    """A list whose ticks differ by more than colour: `[x]` and `[ ]`."""

    def render_line(self, y: int) -> Strip:
        # The grandparent's line: the parent draws an X that only colour switches on and off.
        line = super(SelectionList, self).render_line(y)
        index = round(self.scroll_offset.y) + y
        if index >= self.option_count:
            return line
        ticked = self.get_option_at_index(index).value in self._selected
        style = next(iter(line)).style
        return Strip([Segment("[x] " if ticked else "[ ] ", style), *line])

    def _get_left_gutter_width(self) -> int:
        return 4


class ChecklistScreen(ModalScreen[None]):
    """Two lists side by side over the main screen, which follows every tick."""

    BINDINGS = [
        Binding("escape,c", "dismiss", "Back", id="check.back"),
        Binding("a", "all", "All", id="check.all"),
        Binding("n", "none", "None", id="check.none"),
        Binding("o", "only", "Only this", id="check.only"),
    ]

    class Ticked(Message):
        """The ticks of a list changed: `without` are the values not ticked."""

        def __init__(self, field: str, without: tuple[str, ...]) -> None:
            super().__init__()
            self.field, self.without = field, without

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self._filling = True

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide") as box:
            box.border_title = "what to show"
            with Horizontal(classes="checklists"):
                for field in FIELDS:
                    yield Ticks(*self._selections(field), id=field, compact=True)
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
            for value in sorted(counts, key=natural)
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
        self.app.screen_stack[0].post_message(self.Ticked(ticks.id or "", without))

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
