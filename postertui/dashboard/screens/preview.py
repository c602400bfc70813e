"""Pictures in the terminal, through textual-image where it is installed.

It asks the terminal what it can show when it is imported, and reads the answer from standard
input: so it is imported only on demand, and while the dashboard has released the terminal.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from postertui.dashboard.actions.registry import bindings
from postertui.system.errors import UserError
from postertui.system.text import to_single_line


def make_preview(app: App[Any], paths: Sequence[Path]) -> PreviewScreen:
    """A screen with the pictures of `paths`. Raises `UserError` where none can be shown."""
    pictures = [path for path in paths if path.suffix == ".png"]
    if not pictures:
        raise UserError("only PNG figures have a preview")
    if importlib.util.find_spec("textual_image") is None:
        raise UserError("a preview needs textual-image: pip install 'postertui[preview]'")
    return PreviewScreen(_image_class(app), pictures)


def _image_class(app: App[Any]) -> Any:
    import contextlib
    import sys

    from textual.app import SuspendNotSupported

    if "textual_image.widget" not in sys.modules:
        with contextlib.suppress(SuspendNotSupported), app.suspend():
            import textual_image.widget
    import textual_image.widget

    return textual_image.widget.Image


class PreviewScreen(Screen[None]):
    """The pictures as large as the terminal allows."""

    BINDINGS = bindings("preview")

    def __init__(self, image: Any, paths: Sequence[Path]) -> None:
        super().__init__()
        self._image, self._paths = image, paths

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            for path in self._paths:
                yield Static(to_single_line(path, 500), classes="hint", markup=False)
                try:
                    picture = self._image(str(path))
                except OSError as error:
                    yield Static(to_single_line(error, 200), markup=False)
                    continue
                picture.styles.width = "100%"
                picture.styles.height = "auto"
                yield picture
