"""The filter line: one box with completion, and what came of it at its right."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Label, Static

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.text_width import fit
from postertui.filters import complete
from postertui.system.text import to_single_line

Values = Mapping[str, set[str]]


class FilterSuggester(Suggester):
    """Completes the last word: a field, or one of its values."""

    def __init__(self, values: Callable[[], Values]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._values = values

    async def get_suggestion(self, value: str) -> str | None:
        options = complete(value, self._values())
        small = value.lower()
        return next((o for o in options if o.lower().startswith(small) and o != value), None)


class FilterInput(Input):
    """Tab accepts the completion; Esc puts back what was there; Enter keeps it."""

    BINDINGS = bindings("filter")

    class Left(Message):
        """The user is done with the box."""

    class Focused(Message):
        """The box got or lost the keys."""

    before = ""

    def on_focus(self) -> None:
        self.before = self.value
        self.post_message(self.Focused())

    def on_blur(self) -> None:
        self.post_message(self.Focused())

    def action_accept(self) -> None:
        if self._suggestion and self._suggestion != self.value:
            self.value = self._suggestion
            self.cursor_position = len(self.value)
        else:
            self.post_message(self.Left())

    def action_restore(self) -> None:
        self.value = self.before
        self.post_message(self.Left())

    def action_clear(self) -> None:
        self.value = ""

    async def action_submit(self) -> None:
        self.post_message(self.Left())


class FilterBar(Horizontal):
    """`/`, the box, and how many runs it lets through or what is wrong with it."""

    class Changed(Message):
        """The text changed; `text` is to be applied at once."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, values: Callable[[], Values], text: str = "") -> None:
        super().__init__()
        self._values = values
        self._text = text
        self._result = ("", False)

    def compose(self) -> ComposeResult:
        yield Label(" / ", id="slash")
        yield FilterInput(
            self._text,
            placeholder="filter: genre:comedy variant:l2-* test_fscore>.3",
            suggester=FilterSuggester(self._values),
            compact=True,
            select_on_focus=False,
        )
        yield Label("", id="filter-result", markup=False)

    @property
    def box(self) -> FilterInput:
        return self.query_one(FilterInput)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_click(self, event: events.Click) -> None:
        self.box.focus()

    def show_result(self, text: str, *, wrong: bool = False) -> None:
        """Show `text` at the right."""
        if (text, wrong) == self._result:
            return
        self._result = (text, wrong)
        label = self.query_one("#filter-result", Label)
        label.update(text + " ")
        label.set_class(wrong, "wrong")
        self.query_one("#slash", Label).set_class(wrong, "wrong")
        # A message may take up to half the line from the box.
        label.styles.max_width = max(12, self.size.width // 2)

    def hints(self) -> list[str]:
        """The words that the last one in the box could become, while it is being typed."""
        text = self.box.value
        if not self.box.has_focus or self.box.cursor_position < len(text):
            return []
        head = word_start(text)
        return [o[head:] for o in complete(text, self._values()) if o != text]

    @property
    def hints_at(self) -> tuple[int, int]:
        """Where on the screen the last word begins, one line down."""
        box = self.box
        return box.region.x + min(word_start(box.value), box.size.width // 2), box.region.y + 1


class FilterHints(Static):
    """Laid over the line below the box: what the word being typed could become."""

    def __init__(self, bar: FilterBar) -> None:
        super().__init__("", id="filter-hints", markup=False)
        self._bar = bar
        self.display = False

    def show_hints(self) -> None:
        """Say what fits to the box as it is now."""
        hints = self._bar.hints()
        self.display = bool(hints)
        if hints:
            x, y = self._bar.hints_at
            room = max(10, self.screen.size.width - x - 2)
            self.styles.offset = (x, y)
            self.update(fit(to_single_line("  ".join(hints), 400), room).rstrip())


def word_start(text: str) -> int:
    """Where the last word of a filter begins."""
    return max(text.rfind(c) for c in " (,:") + 1
