"""Esc and a key that arrive together are both; sequences of the terminal stay whole."""

from __future__ import annotations

import pytest
from textual import events

from postertui.dashboard.terminal.escape_key import EscapeParser


def keys(*chunks: str) -> list[str]:
    """The keys that the parser reads of what arrives, chunk by chunk."""
    parser = EscapeParser()
    read = [event for chunk in chunks for event in parser.feed(chunk)]
    parser._timeout_time = 0.0 if parser._timeout_time is not None else None
    read += parser.tick()
    return [event.key if isinstance(event, events.Key) else type(event).__name__ for event in read]


@pytest.mark.parametrize(
    ("chunks", "read"),
    [
        (["\x1bx"], ["escape", "x"]),
        (["\x1b", "x"], ["escape", "x"]),
        (["\x1b/l1"], ["escape", "slash", "l", "1"]),
        (["\x1b4g"], ["escape", "4", "g"]),
        (["\x1bf"], ["escape", "f"]),
        (["\x1bX"], ["escape", "X"]),
        (["\x1b "], ["escape", "space"]),
        (["\x1b\r"], ["escape", "enter"]),
        (["\x1b\x1bq"], ["escape", "escape", "q"]),
        (["a\x1b"], ["a", "escape"]),
        # The terminal's own sequences.
        (["\x1b[A"], ["up"]),
        (["\x1b", "[A"], ["up"]),
        (["\x1b[", "B", "x"], ["down", "x"]),
        (["\x1bOP"], ["f1"]),
        (["\x1b\x1b[A"], ["escape", "up"]),
        (["\x1b[<0;3;4M"], ["MouseDown"]),
        (["\x1b[200~a\x1b[201~b"], ["Paste", "b"]),
    ],
)
def test_escape_and_the_next_key(chunks: list[str], read: list[str]) -> None:
    assert keys(*chunks) == read
