"""Variants whose side the data may lack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postertui.data.sides import how_to_add_side, list_sides
from postertui.study import Variant

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset


def usable_variants(
    variants: Sequence[Variant], dataset: Dataset, *, named: bool
) -> tuple[list[Variant], tuple[str, ...]]:
    """Those whose side the data has, and a note on the others.

    All of them where they were asked for by name, or where none is left: a side that is missing is
    then an error.
    """
    usable = [v for v in variants if v.side in (0, *dataset.sides)]
    if named or not usable or len(usable) == len(variants):
        return list(variants), ()
    missing = [v for v in variants if v not in usable]
    names = ", ".join(v.name for v in missing)
    sides = list_sides(sorted({v.side for v in missing}))
    advice = how_to_add_side(dataset.sides, *sorted({v.side for v in missing}))
    return usable, (f"Left out: {names}: no posters of {sides} pixels; {advice}.",)
