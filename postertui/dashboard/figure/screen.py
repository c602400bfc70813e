"""The figure drawn last: where it is, the command that draws it again, a look at it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from postertui.dashboard.figure.drawing import Figure, path_of
from postertui.dashboard.figure.preview import open_preview
from postertui.dashboard.safe import clean
from postertui.system.errors import UserError


class FigureScreen(ModalScreen[None]):
    """`y` copies the path, `c` the command, Enter shows the picture."""

    BINDINGS = [
        Binding("enter,p", "preview", "Preview", id="figure.preview"),
        Binding("y", "copy_path", "Copy path", id="figure.copy-path"),
        Binding("c", "copy_command", "Copy command", id="figure.copy-command"),
        Binding("escape,q,i", "close", "Back", id="figure.back"),
    ]

    def __init__(self, figure: Figure) -> None:
        super().__init__()
        self.figure = figure

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide") as box:
            box.border_title = "figure"
            box.border_subtitle = "Enter preview · y copies the path · c the command · Esc back"
            paths = "\n".join(clean(path, 500) for path in self.figure.paths)
            yield Static(paths, id="figure-paths", classes="question", markup=False)
            yield Static(clean(self.figure.command, 4000), id="figure-command", markup=False)
            for note in self.figure.notes:
                yield Static(clean(note, 300), classes="hint below", markup=False)

    def action_copy_path(self) -> None:
        self.app.copy_to_clipboard(path_of(self.figure))
        self.app.notify("copied the path", markup=False)

    def action_copy_command(self) -> None:
        self.app.copy_to_clipboard(self.figure.command)
        self.app.notify("copied the command", markup=False)

    def action_preview(self) -> None:
        try:
            self.app.push_screen(open_preview(self.app, self.figure.paths))
        except UserError as error:
            self.app.notify(clean(error, 200), severity="warning", markup=False)

    def action_close(self) -> None:
        self.dismiss(None)
