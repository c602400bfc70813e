"""Esc followed at once by a key is both of them, also where a slow link brings them together.

A terminal sends Alt with a key by the same bytes as Esc and that key, and Textual takes them for
Alt. No action here is on Alt, but Esc and the next key are typed fast.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.message import Message

_ESC = "\x1b"
#: What follows Esc in a terminal's own sequences: of keys, of the mouse, in its answers.
_SEQUENCES = frozenset("[O]P_^\\" + _ESC)


class EscapeParser(XTermParser):
    """Gives out Esc as a key as soon as what follows begins no sequence."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._last = ""

    def feed(self, data: str) -> Iterable[Message]:
        start = 0
        for index, character in enumerate(data):
            if self._last == _ESC and character not in _SEQUENCES:
                if index > start:
                    yield from super().feed(data[start:index])
                start = index
                if self._timeout_time is not None:
                    # As if no further character had come in time.
                    self._timeout_time = 0.0
                    yield from self.tick()
            self._last = character
        if start < len(data) or not data:
            yield from super().feed(data[start:])


def read_escape_alone() -> None:
    """Have Textual's driver read keys with `EscapeParser`; it has no public place for that."""
    linux_driver.XTermParser = EscapeParser  # type: ignore[attr-defined]
