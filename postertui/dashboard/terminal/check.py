"""What the terminal is and can show, found out before textual takes it over."""

from __future__ import annotations

import io
import os
import re
import select
import sys
import termios
import time
import tty
from collections.abc import Mapping

#: Seconds for a terminal to say where its cursor is, over a slow link.
PATIENCE = 2.0

#: A character of two bytes in UTF-8, and the request to report the cursor's place.
_PROBE = "\r\u00e9".encode() + b"\x1b[6n"

#: Wipes the probe.
_CLEAR = b"\r\x1b[K"

_PLACE = re.compile(rb"\x1b\[\d+;(\d+)R")


def draw_on_standard_output() -> None:
    """Have textual draw on standard output, a terminal, where standard error is none.

    Textual draws on standard error, which `postertui 2>file` sends elsewhere. What it writes is
    UTF-8, whatever Python's own variables (PYTHONIOENCODING) say of the streams: what the terminal
    can show is for `shows_utf8` to find out.
    """
    if isinstance(sys.__stderr__, io.TextIOWrapper) and sys.__stderr__.isatty():
        sys.__stderr__.reconfigure(encoding="utf-8", errors="replace")
    if sys.__stderr__ is None or not sys.__stderr__.isatty():
        sys.__stderr__ = os.fdopen(  # type: ignore[misc]
            os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace"
        )


def shows_utf8(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal shows UTF-8: by the locale, and where that is silent by asking it."""
    codeset = declared_codeset(environment)
    if codeset:
        return codeset in ("utf8", "utf-8")
    return _advances_by_one(sys.stdin.fileno(), sys.stdout.fileno())


def declared_codeset(environment: Mapping[str, str]) -> str:
    """The encoding that the locale names, in lower case; empty for `C`, `POSIX` or none."""
    names = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next(filter(None, names), "")
    return locale.partition(".")[2].partition("@")[0].lower()


def _advances_by_one(source: int, target: int) -> bool:
    """Whether the terminal's cursor moves by one column for a character of two bytes.

    One that does not report its cursor is taken for one that knows ASCII only.
    """
    try:
        before = termios.tcgetattr(source)
    except termios.error:
        return False
    try:
        tty.setcbreak(source, termios.TCSANOW)
        os.write(target, _PROBE)
        answer, deadline = b"", time.monotonic() + PATIENCE
        while not (place := _PLACE.search(answer)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                return False
            answer += os.read(source, 64)
        return int(place[1]) == 2
    finally:
        os.write(target, _CLEAR)
        termios.tcsetattr(source, termios.TCSANOW, before)
