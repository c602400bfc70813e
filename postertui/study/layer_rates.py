"""Factors on the learning rate by layer, or by how the names of layers begin."""

from __future__ import annotations

from typing import Any

from postertui.study.toml_text import as_toml

#: Factors by the beginning of a layer's name.
LayerRates = tuple[tuple[str, float], ...]

RATES_HELP = (
    "a number above 0 and up to 1, or a table of such numbers for layers or how their names begin: "
    "{ block5 = 0.1, block4 = 0.01 }"
)


def check_rates(value: dict[str, Any] | LayerRates) -> LayerRates:
    """The factors of a table. Raises `ValueError` for a factor outside (0, 1] or an empty table."""
    table = dict(value)
    for layer, rate in table.items():
        numeric = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not (numeric and 0 < rate <= 1 and layer.strip()):
            raise ValueError(f"{layer} = {as_toml(rate)} is not part of {RATES_HELP}")
    if not table:
        raise ValueError(f"an empty table is not {RATES_HELP}")
    return tuple((layer, float(rate)) for layer, rate in table.items())
