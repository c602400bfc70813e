"""Which of many compared values are in full colour, and under which letter and colour.

Only a few curves in one plot can be distinguished; the others are grey, behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: As many as a palette has colours, so that neither colour nor letter is there twice.
MOST = 7

LETTERS = "abcdefghijklmnopqrstuvwxyz"

#: The style of what is not in full colour.
OTHER = "other"


@dataclass(frozen=True)
class Highlights:
    """Of the compared values `groups` those in full colour, `names`, in the order of letters."""

    groups: tuple[str, ...]
    names: tuple[str, ...]

    def place(self, group: int) -> int | None:
        """The place of `groups[group]` among the highlighted ones; None for a grey one."""
        name = self.groups[group]
        return self.names.index(name) if name in self.names else None

    def style(self, name: str) -> str:
        """The style of a compared value's curve."""
        return f"group-{self.names.index(name)}" if name in self.names else OTHER

    @property
    def others(self) -> int:
        """How many compared values are grey."""
        return len(self.groups) - len(self.names)


def highlight(groups: Sequence[str], preferred: Iterable[str]) -> Highlights:
    """All `groups` where they are few, else the first of those that are `preferred`."""
    if len(groups) <= MOST:
        return Highlights(tuple(groups), tuple(groups))
    names = [name for name in dict.fromkeys(preferred) if name in groups]
    return Highlights(tuple(groups), tuple(names[:MOST] or groups[:MOST]))
