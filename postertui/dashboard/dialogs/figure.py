"""The figure drawn last: where it is, the command that draws it again, a look at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.figure_export.process import ExportedFigure, path_of
from postertui.system.errors import UserError
from postertui.system.text import to_single_line


class FigureScreen(ModalScreen[None]):
    """`y` copies the path, `c` the command, Enter shows the picture."""

    BINDINGS = bindings("figure")

    def __init__(self, figure: ExportedFigure, preview: Callable[[Sequence[Path]], object]) -> None:
        super().__init__()
        self.figure = figure
        self._preview = preview

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide") as box:
            box.border_title = "figure"
            box.border_subtitle = "Enter preview · y copies the path · c the command · Esc back"
            paths = "\n".join(to_single_line(path, 500) for path in self.figure.paths)
            yield Static(paths, id="figure-paths", classes="question", markup=False)
            yield Static(
                to_single_line(self.figure.command, 4000), id="figure-command", markup=False
            )
            for note in self.figure.notes:
                yield Static(to_single_line(note, 300), classes="hint below", markup=False)

    def action_copy_path(self) -> None:
        self.app.copy_to_clipboard(path_of(self.figure))
        self.app.notify("copied the path", markup=False)

    def action_copy_command(self) -> None:
        self.app.copy_to_clipboard(self.figure.command)
        self.app.notify("copied the command", markup=False)

    def action_preview(self) -> None:
        try:
            self._preview(self.figure.paths)
        except UserError as error:
            self.app.notify(to_single_line(error, 200), severity="warning", markup=False)

    def action_close(self) -> None:
        self.dismiss(None)
