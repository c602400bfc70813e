"""Text for display: control characters removed, plurals, slugs."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x1b\\|\x07|$)|[ -/]*[0-~])"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def strip_control_chars(text: str) -> str:
    """`text` without escape sequences; other control and direction characters become �.

    Tabs and newlines stay. A lone carriage return starts a line: what a progress bar wrote over
    itself is shown step by step.
    """
    text = _ESCAPES.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def to_single_line(text: str, limit: int = 10_000) -> str:
    """`text` on one line of at most `limit` characters, without control characters."""
    line = " ".join(strip_control_chars(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def describe_error(error: Exception) -> str:
    """An error's message on one line of readable length, whatever it quotes."""
    return to_single_line(str(error), 300)


def pluralize(number: int, noun: str) -> str:
    """`1 run`, `1,200 runs`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def slugify(text: str) -> str:
    """`text` as `[a-z0-9._-]+`, never empty and never starting with a dot."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip(".-") or "x"
