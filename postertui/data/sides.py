"""The sides that a data folder has its posters at, in words."""

from __future__ import annotations

from collections.abc import Iterable


def list_sides(sides: Iterable[object]) -> str:
    """Sides in words: `48 and 96`."""
    *most, last = map(str, sides)
    return f"{', '.join(most)} and {last}" if most else last


def how_to_add_side(sides: Iterable[int], *further: int) -> str:
    """The command that builds a data folder with further sides beside those that it has."""
    options = " ".join(f"--side {s}" for s in (*sides, *further))
    return f"`postertui data build {options}` adds them"
