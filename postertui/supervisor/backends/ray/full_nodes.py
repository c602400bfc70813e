"""Nodes whose disk was full a short while ago."""

from __future__ import annotations

#: Seconds for which a node whose disk was full gets no runs.
FULL_SECONDS = 60.0


class FullNodes:
    """Remembers which nodes reported a full disk, and when. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def add(self, node: str, now: float) -> None:
        """Note that the node's disk is full."""
        self._since[node] = now

    def is_full(self, node: str, now: float) -> bool:
        """Whether the node reported a full disk a short while ago."""
        return now - self._since.get(node, -FULL_SECONDS) < FULL_SECONDS

    def at(self, now: float) -> list[str]:
        """All of them."""
        return [node for node in self._since if self.is_full(node, now)]
