"""A terminal's screen as text, in which words are found also where the screen wraps them.

How a line wraps depends on the length of what stands in it: a path, a user's name, a count. A test
that looks for words says which words, not where the line ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Self

_FRAME = "│┃║▌▐█▎▊"


class ScreenText(str):
    """The screen's rows. `words in text` holds where they are on a row, or wrapped in a block.

    `blocks` gives the parts of the screen that wrap by themselves (the widgets), each as its rows.
    """

    blocks: Callable[[], Iterable[str]]

    def __new__(
        cls, rows: Iterable[str], blocks: Callable[[], Iterable[str]] | None = None
    ) -> Self:
        text = super().__new__(cls, "\n".join(rows))
        text.blocks = blocks or (lambda: [without_frame(text)])
        return text

    def __contains__(self, words: object) -> bool:
        if not isinstance(words, str):
            return False
        if str.__contains__(self, words):
            return True
        if len(words) < 2 or words != words.strip():
            return False
        pattern = wrapped(words)
        return any(pattern.search(block) for block in self.blocks())


@lru_cache(maxsize=256)
def wrapped(words: str) -> re.Pattern[str]:
    """Finds `words` where line ends stand for, or beside, any of its characters.

    >>> bool(wrapped("no data yet").search("/a/b: no  \\n  da\\nta yet"))
    True
    >>> bool(wrapped("no data").search("nodata"))
    False
    """
    line_end = r"[^\S\n]*\n[^\S\n]*"
    pieces = [re.escape(words[0])]
    for before, after in pairwise(words):
        if after.isspace():
            pieces.append(rf"(?:{re.escape(after)}|{line_end})")
        else:
            broken = "" if before.isspace() else rf"(?:{line_end})?"
            pieces.append(broken + re.escape(after))
    return re.compile("".join(pieces))


def without_frame(text: str) -> str:
    """`text` without the frame at the ends of its lines."""
    return "\n".join(line.strip().strip(_FRAME) for line in text.splitlines())
