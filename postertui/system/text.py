"""Text for display: control characters removed, plurals, slugs."""

from __future__ import annotations

import re
from functools import lru_cache

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x1b\\|\x07|$)|[ -/]*[0-~])"
)
#: C0 but tab and newline, DEL, C1, and the controls of writing direction.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[{_CONTROLS}]")
#: These, and what has no width or breaks a line: joiners, selectors, separators, tags, surrogates.
_UNPRINTABLE = re.compile(
    f"[{_CONTROLS}\xad\u180e\u200b-\u200d\u2028\u2029\u2060-\u2065\u206a-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_COMBINING = "\u0300-\u036f\u0483-\u0489\u20d0-\u20f0"
_STACKED_MARKS = re.compile(f"([{_COMBINING}]{{2}})[{_COMBINING}]+")
_BLANKS = re.compile(r"[\t\n]+")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def strip_control_chars(text: str) -> str:
    """`text` without escape sequences; other control and direction characters become �.

    Tabs and newlines stay. A lone carriage return starts a line: what a progress bar wrote over
    itself is shown step by step.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    text = _ESCAPES.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")
    return _CONTROL.sub(_REPLACEMENT, text)


def to_single_line(text: object, limit: int = 2000) -> str:
    """`str(text)` on one line, each character with a width of its own.

    For places that count terminal cells: escape sequences are gone, tabs and newlines are blanks,
    and what has no width or turns the direction of writing is shown as �.

    Parameters
    ----------
    limit
        The most characters.
    """
    return _to_single_line(text if isinstance(text, str) else str(text), limit)


@lru_cache(maxsize=2048)
def _to_single_line(text: str, limit: int) -> str:
    # Thousands of runs share a few names.
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    text = _STACKED_MARKS.sub(r"\1", _BLANKS.sub(" ", strip_control_chars(text).strip()))
    return _UNPRINTABLE.sub(_REPLACEMENT, text)


def describe_error(error: BaseException, limit: int = 300) -> str:
    """An error's message on one line of readable length; its type where it has none."""
    return to_single_line(" ".join(str(error).split()), limit) or type(error).__name__


def pluralize(number: int, noun: str) -> str:
    """`1 run`, `1,200 runs`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def slugify(text: str) -> str:
    """`text` as `[a-z0-9._-]+`, never empty and never starting with a dot."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip(".-") or "x"
