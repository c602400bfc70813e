"""Text in a fixed number of terminal cells."""

from __future__ import annotations

import re
import textwrap

from rich.cells import cell_len, chop_cells, set_cell_size

#: A piece of a line, and the name of its style (see `postertui.dashboard.terminal.theme`).
StyledText = tuple[str, str]

#: Printable ASCII, lines and blocks, braille: a cell each, without looking at every character.
_NARROW = re.compile("[ -~\u2500-\u259f\u2800-\u28ff]*")


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    return len(text) if text.isascii() or _NARROW.fullmatch(text) else cell_len(text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` terminal cells, cut with `…` or padded."""
    if width <= 0:
        return ""
    length = cells(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` terminal cells, broken between words where it can be."""
    if cells(text) == len(text):
        return textwrap.wrap(text, width) or [""]
    lines: list[str] = []
    for word in text.split():
        if lines and cells(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        lines += chop_cells(word, width) or [word]
    return lines or [""]


def cut_middle(text: str, width: int, *, long_end: bool = False) -> str:
    """`text` in at most `width` characters, with `…` for what is cut from its middle.

    As much is kept of its end as of its beginning; with `long_end`, twice as much.
    """
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3 if long_end else (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}" if tail else text[:width]
