"""Hyper-parameters as tables and screens write them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

#: `Regularizer` of a history of another program, which does not record its settings.
UNKNOWN_SETTING = "unknown"


@lru_cache(maxsize=1024)
def format_strength(value: float) -> str:
    """λ as the published table writes it: `1e-5`, `2.5e-4`, `0`."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def describe_entries(values: Iterable[Any]) -> str:
    """Names, or layers with their rates, in words: `year, country`, `block5 0.1`."""
    return ", ".join(v if isinstance(v, str) else f"{v[0]} {v[1]:g}" for v in values)
