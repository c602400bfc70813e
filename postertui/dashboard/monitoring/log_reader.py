"""A run's log: read as it grows, cleaned, searched."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from postertui.system.regular_files import open_regular
from postertui.system.text import to_single_line

#: How much of a long log is kept in memory, from its end.
KEPT_BYTES = 2_000_000
LONGEST_LINE = 4_000

_ERROR = re.compile(
    r"(^\w*(Error|Exception|Interrupt)\b)|(^[\w.]+(Error|Exception): )|\b(fatal|panic|killed|abort|"
    r"out of memory|OOM|segmentation fault|core dumped)\b|\berror\b",
    re.IGNORECASE,
)


class LogReader:
    """The lines of `path` so far; `read` adds what was appended since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.missing = True
        self._offset = 0
        self._inode = 0
        self._rest = b""

    def read(self) -> bool:
        """Read on; whether anything is new. A file that was replaced is read from its start."""
        try:
            with os.fdopen(open_regular(self.path, os.O_RDONLY), "rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self._inode, self._offset, self._rest = stat.st_ino, 0, b""
                    self.lines.clear()
                if stat.st_size - self._offset > KEPT_BYTES:
                    self._offset = stat.st_size - KEPT_BYTES
                    self._rest = b""
                    self.lines = ["… (the beginning is not shown)"]
                file.seek(self._offset)
                data = file.read(KEPT_BYTES)
        except OSError:
            changed = not self.missing
            self.missing = True
            return changed
        changed, self.missing = self.missing or bool(data), False
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        self.lines.extend(clean_line(line) for line in whole)
        if len(self._rest) > KEPT_BYTES:
            self.lines.append(clean_line(self._rest))
            self._rest = b""
        return changed

    def all_lines(self) -> list[str]:
        """The lines, with the last one even if it is not finished."""
        return [*self.lines, clean_line(self._rest)] if self._rest else list(self.lines)


def clean_line(line: bytes) -> str:
    """A line of a log without control characters; of one rewritten with CR, its last state."""
    kept = line[-4 * LONGEST_LINE * 2 :] if b"\r" in line else line[: 4 * LONGEST_LINE]
    text = kept.decode("utf-8", errors="replace").rstrip("\r").rsplit("\r", 1)[-1]
    return to_single_line(text, LONGEST_LINE)


def last_error(lines: Sequence[str]) -> str | None:
    """The last line that reports an error."""
    return next((line.strip() for line in reversed(lines) if _ERROR.search(line)), None)


def find_line(lines: Sequence[str], text: str, start: int, step: int) -> int | None:
    """The next line at or after `start` (going by `step`) that contains `text`, wrapping round."""
    needle = text.lower()
    if not needle:
        return None
    for i in range(len(lines)):
        index = (start + step * i) % len(lines)
        if needle in lines[index].lower():
            return index
    return None
