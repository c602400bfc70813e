"""Variants of classical models, which need scikit-learn, checked before anything is queued."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from postertui.study import Variant
from postertui.system.errors import UserError

#: The packages of the extra `classical`.
PACKAGES = ("sklearn", "skops")


def usable_variants(
    variants: Sequence[Variant], *, named: bool
) -> tuple[list[Variant], tuple[str, ...]]:
    """The variants that the installed packages can train, and a note on those left out.

    Raises `UserError` where one is left out although it is `named`, or none is left.
    """
    classical = [variant.name for variant in variants if variant.model != "network"]
    if not classical or all(importlib.util.find_spec(name) for name in PACKAGES):
        return list(variants), ()
    how = "pip install 'postertui[classical]'"
    usable = [variant for variant in variants if variant.model == "network"]
    if named or not usable:
        raise UserError(f"{classical[0]}: needs scikit-learn and skops: {how}")
    return usable, (f"Left out without scikit-learn and skops ({how}): {', '.join(classical)}.",)
