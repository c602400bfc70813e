"""The application's way to and from the terminal: what is sent, and how keys are read."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.color import ColorSystem
from rich.console import RenderableType
from textual import events
from textual.app import App
from textual.filter import LineFilter
from textual.screen import Screen

from postertui.dashboard.terminal.ascii import AsciiFilter
from postertui.dashboard.terminal.escape_key import read_escape_alone
from postertui.dashboard.terminal.output_diff import ScreenDiff

#: A key that changes nothing on the screen is pending no longer than this.
PENDING_KEY_TIMEOUT = 0.06


class TerminalApp(App[None]):
    """Sends only what the terminal does not show yet; with `ascii_only` in ASCII."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        read_escape_alone()
        super().__init__()
        self._line_filters = [AsciiFilter()] if ascii_only else []
        self._screen_diff = ScreenDiff()
        self._key_pressed: float | None = None

    @property
    def has_pending_key(self) -> bool:
        """Whether a key was pressed just now and nothing has been shown since."""
        pressed = self._key_pressed
        return pressed is not None and time.monotonic() - pressed < PENDING_KEY_TIMEOUT

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._line_filters]

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        # Textual has no public place between what it drew and what it sends.
        colours = self.console._color_system or ColorSystem.TRUECOLOR
        super()._display(screen, self._screen_diff.diff(renderable, self.size, colours))
        self._key_pressed = None

    def action_redraw(self) -> None:
        self._screen_diff.invalidate()
        self.screen.refresh(layout=True)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self._key_pressed = time.monotonic()
        await super().on_event(event)
