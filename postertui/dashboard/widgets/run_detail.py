"""Below the table: the verdict on the run under the cursor, what is wrong with it, its note."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from postertui.dashboard.state.assessment import Assessment
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import Margin
from postertui.dashboard.text_width import StyledText, fit, wrap

if TYPE_CHECKING:
    from postertui.dashboard.terminal.theme import ThemeStyles


def detail_lines(
    run: RunView | None,
    margin: Margin | None,
    assessment: Assessment | None,
    width: int,
    height: int,
) -> list[StyledText]:
    """At most `height` lines of at most `width` cells, what matters most first.

    Parameters
    ----------
    run
        None for no lines.
    margin, assessment
        The run against its baseline, and what is wrong with it; None while they are not known.
    width, height
        In cells and lines.
    """
    if run is None or height < 1 or width < 8:
        return []
    messages: list[StyledText] = []
    if run.state in ("failed", "cancelled", "interrupted", "queued") and run.reason:
        messages.append((run.reason, run.state))
    if margin is not None:
        messages.append((margin.sentence, margin.verdict or "text"))
    if run.note:
        messages.append((run.note, "accent"))
    if assessment is not None:
        messages += [(f"{wrong} {advice}", "text") for wrong, advice in assessment.findings]
    if not messages and run.state == "queued":
        messages.append(("waits for its turn", "dim"))
    lines: list[StyledText] = []
    for i, (text, style) in enumerate(messages):
        # Each later thing keeps a line as long as there are enough.
        room = max(1, height - len(lines) - (len(messages) - i - 1))
        wrapped = wrap(text, width)
        if len(wrapped) > room:
            rest = " ".join(wrapped[room - 1 :])
            wrapped = [*wrapped[: room - 1], fit(rest, width)]
        lines += [(line, style) for line in wrapped]
    return lines[:height]


class RunDetail(Widget):
    """Draws `detail_lines`."""

    can_focus = False

    def __init__(self, theme: ThemeStyles) -> None:
        super().__init__(id="detail")
        self.theme = theme
        self._shown: tuple[RunView | None, Margin | None, Assessment | None] = (None, None, None)
        self._lines: list[StyledText] = []

    def show(
        self, run: RunView | None, margin: Margin | None, assessment: Assessment | None
    ) -> None:
        self._shown = (run, margin, assessment)
        lines = detail_lines(run, margin, assessment, self.size.width - 2, self.size.height - 1)
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    @property
    def text(self) -> str:
        return "\n".join(text for text, _ in self._lines)

    def on_resize(self) -> None:
        self.show(*self._shown)

    def render_line(self, y: int) -> Strip:
        base = self.theme["on-surface"]
        if 1 <= y <= len(self._lines):
            text, style = self._lines[y - 1]
            strip = Strip([Segment(f" {text}", self.theme.over(base, style))])
        else:
            strip = Strip([])
        return strip.adjust_cell_length(self.size.width, base)
