"""`--ascii`: whatever is about to be drawn, in ASCII, character by character."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_DRAWN = {
    "▸": ">", "▶": ">", "✓": "+", "✗": "x", "–": "-", "—": "-", "·": ".", "…": "~", "±": "~",
    "▲": "^", "△": "~", "▽": "v", "★": "*", "●": "@", "×": "x", "−": "-", "↑": "^", "↓": "v",
    "Δ": "d", "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "+", "▆": "o", "▇": "O",
    "←": "<", "→": ">", "▼": "v", "◀": "<", "•": "*", "█": "#", "░": ".", "▒": ":", "▓": "#",
}  # fmt: skip


def ascii_character(character: str) -> str:
    """As many ASCII characters as `character` has cells, as like it as can be."""
    if character in _DRAWN:
        return _DRAWN[character]
    code = ord(character)
    if 0x2500 <= code < 0x2580:
        # Box drawing: lines along one axis stay lines, all else is a corner.
        name = unicodedata.name(character, "")
        if "HORIZONTAL" in name and "VERTICAL" not in name:
            return "-" if "AND" not in name else "+"
        return "|" if "VERTICAL" in name and "AND" not in name else "+"
    if 0x2580 <= code < 0x25A0:
        return "-" if character in "▀▁▂▔" else "|"
    base = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    width = cell_len(character)
    return (base or "?" * width)[:width].ljust(width)


@lru_cache(4096)
def to_ascii(text: str) -> str:
    """`text` in ASCII, as wide as before."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() else ascii_character(c) for c in text)


class AsciiFilter(LineFilter):
    """Makes every line that leaves the program ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]
