"""Figures of what is on the screen, drawn one at a time in a process of their own."""

from __future__ import annotations

from collections.abc import Mapping

from postertui.dashboard.context import Context
from postertui.dashboard.dialogs.figure import FigureScreen
from postertui.dashboard.figure_export.process import ExportedFigure, FigureProcess
from postertui.dashboard.figure_export.request import request_of
from postertui.dashboard.state.run_view import RunView
from postertui.system.errors import UserError
from postertui.system.text import to_single_line


class FigureController:
    """One figure is drawn at a time; asking again while one is on its way starts over."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shell = context.shell
        self._process: FigureProcess | None = None
        self.newest: ExportedFigure | None = None

    def close(self) -> None:
        """End what is being drawn."""
        if self._process is not None:
            self._process.stop()

    def draw(self, shown: Mapping[str, RunView]) -> None:
        """Draw the figure of the `shown` runs, and say where it is when it is there."""
        model, setup = self._context.model, self._context.setup
        try:
            request = request_of(model.runs, shown, model.options, pinned=model.pinned)
        except UserError as error:
            self._shell.show_message(str(error), "warning")
            return
        self.close()
        process = self._process = FigureProcess(request, setup.runs, setup.out)
        self._shell.show_message(f"drawing into {to_single_line(setup.out, 100)}/ …")
        self._shell.in_thread(lambda: self._draw(process), "figure")

    def _draw(self, process: FigureProcess) -> None:
        try:
            figure = process.draw()
        except (UserError, OSError, ValueError) as error:
            if process is self._process:
                self._shell.from_thread(
                    self._shell.show_message, to_single_line(error, 300), "error"
                )
            return
        if process is self._process:
            self._shell.from_thread(self._finished, figure)

    def _finished(self, figure: ExportedFigure) -> None:
        self.newest, self._process = figure, None
        paths = to_single_line(", ".join(map(str, figure.paths)), 200)
        notes = f" ({'; '.join(figure.notes[:2])})" if figure.notes else ""
        text = f"{paths}{to_single_line(notes, 120)}: i shows it"
        self._shell.show_message(text, title="Figure drawn", seconds=8)

    def open_newest(self) -> None:
        """Show where the newest figure is."""
        if self.newest is None:
            self._shell.show_message("no figure yet: F draws one")
            return
        dialog = FigureScreen(self.newest, self._shell.open_preview)
        self._shell.ask(dialog, lambda _: None)
