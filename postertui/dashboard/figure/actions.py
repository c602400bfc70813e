"""The figure's keys; mixed into the main screen."""

from __future__ import annotations

from collections.abc import Mapping

from textual import work
from textual.binding import Binding, BindingType

from postertui.dashboard.board import Board
from postertui.dashboard.figure.drawing import Drawing, Figure
from postertui.dashboard.figure.request import FigureRequest, request_of
from postertui.dashboard.live.view import RunView
from postertui.dashboard.safe import clean
from postertui.system.errors import UserError

FIGURE_BINDINGS: list[BindingType] = [
    Binding("F", "figure", "Figure", id="figure.draw",
            tooltip="the report of exactly what is on the screen"),
    Binding("i", "last_figure", "last figure", show=False, id="figure.last",
            tooltip="preview it, copy its path or its command"),
]  # fmt: skip


class FigureActions(Board):
    """One figure is drawn at a time; asking again while one is on its way starts over."""

    figure: Figure | None = None
    _drawing: Drawing | None = None

    def on_unmount(self) -> None:
        if self._drawing is not None:
            self._drawing.stop()

    def figure_request(self, shown: Mapping[str, RunView]) -> FigureRequest:
        """The report of the `shown` runs. Raises `UserError` where there is none."""
        model = self.model
        return request_of(model.runs, shown, model.options, pinned=model.pinned)

    def action_figure(self) -> None:
        self.draw_figure(self.model.shown)

    def draw_figure(self, shown: Mapping[str, RunView]) -> None:
        """Draw the figure of the `shown` runs, and say where it is when it is there."""
        try:
            request = self.figure_request(shown)
        except UserError as error:
            self.say(str(error), severity="warning")
            return
        if self._drawing is not None:
            self._drawing.stop()
        setup = self.dashboard.setup
        self._drawing = Drawing(request, setup.runs, setup.out)
        self.say(f"drawing into {clean(setup.out, 100)}/ …")
        self._draw(self._drawing)

    @work(thread=True, group="figure")
    def _draw(self, drawing: Drawing) -> None:
        try:
            figure = drawing.draw()
        except (UserError, OSError, ValueError) as error:
            if drawing is self._drawing:
                self.app.call_from_thread(self.say, clean(error, 300), severity="error")
            return
        if drawing is self._drawing:
            self.app.call_from_thread(self._drawn, figure)

    def _drawn(self, figure: Figure) -> None:
        self.figure, self._drawing = figure, None
        where = clean(", ".join(map(str, figure.paths)), 200)
        notes = f" ({'; '.join(figure.notes[:2])})" if figure.notes else ""
        text = f"{where}{clean(notes, 120)}: i shows it"
        self.app.notify(text, title="Figure drawn", markup=False, timeout=8)

    def action_last_figure(self) -> None:
        from postertui.dashboard.figure.screen import FigureScreen

        if self.figure is None:
            self.say("no figure yet: F draws one")
            return
        self.app.push_screen(FigureScreen(self.figure))
