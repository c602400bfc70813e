"""`[grid.NAME]`: a variant of each combination of values."""

from __future__ import annotations

import itertools
import re
from typing import Any

from postertui.study.custom import readable
from postertui.study.labels import format_strength
from postertui.study.variants import variant_fields


def expand_grid(name: str, table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The variants of `[grid.NAME]`, by name: one for each combination of its lists' values.

    `[grid.reg]` with `strength = [1e-6, 1e-5]` makes `reg-1e-6` and `reg-1e-5`; with several lists
    the values follow each other in the table's order.

    Parameters
    ----------
    table
        What the grid has as TOML values. Those that are no list are common to all its variants.
    """
    names = {field.name for field in variant_fields() if field.kind == "names"}
    lists = {
        key: value
        for key, value in table.items()
        if isinstance(value, list)
        # A list of names is one value; a list of such lists are several.
        and (key not in names or all(isinstance(item, list) for item in value))
    }
    common = {key: value for key, value in table.items() if key not in lists}
    variants = {}
    for values in itertools.product(*lists.values()):
        words = [name, *(_grid_word(value) for value in values)]
        variants["-".join(words)] = common | dict(zip(lists, values, strict=True))
    return variants


def _grid_word(value: Any) -> str:
    """A value as part of a variant's name."""
    if isinstance(value, dict):
        return value.get("kind") or "-".join(_grid_word(v) for pair in value.items() for v in pair)
    if isinstance(value, list):
        return "-".join(map(_grid_word, value)) or "all"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format_strength(value) if 0 < value < 0.01 else f"{value:g}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", readable(str(value)))
