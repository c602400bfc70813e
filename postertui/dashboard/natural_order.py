"""The order in which names are listed: `base` first, numbers by value."""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBERS = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


@lru_cache(4096)
def natural_key(text: str) -> tuple[object, ...]:
    """A sort key that puts `base` first, and orders numbers by value and the rest as text."""
    parts = _NUMBERS.split(text.lower())
    keys = [(1, float(p), "") if i % 2 else (0, 0.0, p) for i, p in enumerate(parts)]
    return (text != "base", tuple(keys))
