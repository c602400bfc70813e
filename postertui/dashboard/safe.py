"""Strings from outside, made harmless: what may reach the terminal and how wide it is.

Names, notes and logs can hold escape sequences, bidi controls and characters of no or double
width. Each is cleaned once, where it enters the dashboard.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

#: C0, DEL, C1, bidi controls, invisible joiners and selectors, line separators, tags, surrogates.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_BLANKS = re.compile(r"[\t\n]+")
_MANY_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u20d0-\u20f0]{2})[\u0300-\u036f\u20d0-\u20f0]+"
)


def clean(text: object, limit: int = 2000) -> str:
    """`text` on one line, at most `limit` characters, harmful characters shown as `?`."""
    return _clean(text if isinstance(text, str) else str(text), limit)


@lru_cache(maxsize=2048)
def _clean(text: str, limit: int) -> str:
    # Thousands of runs share a few names.
    return _BLANKS.sub(" ", clean_text(text, limit))


def clean_text(text: object, limit: int = 1_000_000) -> str:
    """As `clean`, but keeping line breaks and tabs."""
    whole = str(text)
    if len(whole) > limit:
        whole = whole[: limit - 1] + "…"
    if whole.isascii() and whole.isprintable():
        return whole
    return _HARMFUL.sub("?", _MANY_MARKS.sub(r"\1", whole))


def shorten_middle(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, with `…` for what is cut from its middle."""
    if len(text) <= limit:
        return text
    end = (limit - 1) * 2 // 3
    return f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` terminal cells, cut with `…` or padded."""
    if width <= 0:
        return ""
    length = cells(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)
