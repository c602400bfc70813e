"""The variants' settings, and how each differs from base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import polars as pl

from postertui.analysis.tables.section import Column, Section, text
from postertui.figures.source import DEFAULT_BASE, open_source
from postertui.study import Variant, format_strength

#: Names are not settings.
_NAMES = ("name", "family")
_WORDS = {
    "frozen_layers": "frozen layers",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "early_stopping": "early stopping",
    "strength": "λ",
}


def settings_sections(
    table: pl.DataFrame, variants: Mapping[str, Variant] | None = None
) -> list[Section]:
    """The variants of a table with their differences from base, and base itself setting by setting.

    Where the table lacks `base`, the 2017 base variant stands in for it.
    """
    source = open_source(table, variants)
    base = source.base
    grid = table.group_by("name").agg(
        pl.col("run").n_unique().alias("runs"),
        pl.col("genre").n_unique().alias("genres"),
        pl.col("seed").fill_null(0).n_unique().alias("seeds"),
        pl.max("epoch").alias("epochs"),
    )
    rows = [
        {"name": name, "family": variant.family, "differs": differences(variant, base)}
        for name, variant in source.variants.items()
    ]
    schema = {"name": pl.String, "family": pl.String, "differs": pl.String}
    frame = pl.DataFrame(rows, schema=schema).join(grid, on="name", how="left").sort("name")
    notes = [] if "base" in source.variants else ["The table has no base; 2017's stands in for it."]
    return [
        Section(
            "variants",
            "Variants, and how each differs from base",
            frame,
            [
                Column("variant", text("name")),
                Column("family", text("family")),
                Column("differs in", text("differs")),
                Column("runs", text("runs"), right=True),
                Column("genres", text("genres"), right=True),
                Column("seeds", text("seeds"), right=True),
                Column("epochs", text("epochs"), right=True),
            ],
            notes,
        ),
        Section(
            "base",
            "The settings of base",
            pl.DataFrame(
                [{"setting": word, "value": value} for word, value in _settings(base).items()]
            ),
            [Column("setting", text("setting")), Column("value", text("value"))],
        ),
    ]


def differences(variant: Variant, base: Variant = DEFAULT_BASE) -> str:
    """What `variant` has instead of base's, e.g. `λ 1e-4, epochs 20`; empty for base."""
    own, usual = _settings(variant), _settings(base)
    return ", ".join(f"{word} {value}" for word, value in own.items() if value != usual[word])


def _settings(variant: Variant) -> dict[str, str]:
    fields = [f for f in Variant.__struct_fields__ if f not in _NAMES]
    return {_WORDS.get(f, f): _value(f, getattr(variant, f)) for f in fields}


def _value(field: str, value: Any) -> str:
    if field == "strength":
        return format_strength(value)
    if isinstance(value, msgspec.Struct):
        settings = ", ".join(f"{k} {v:g}" for k, v in msgspec.structs.asdict(value).items())
        return type(value).__name__.lower() + (f" ({settings})" if settings else "")
    return f"{value:g}" if isinstance(value, float) else str(value)
