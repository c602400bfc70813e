"""The input of every figure: a history table, its settings, its base rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import polars as pl

from postertui.history.identity import fill_identity
from postertui.history.schema import normalise, with_base_rates
from postertui.published.naming import parse_regularizer, variant_from_2017
from postertui.study import DEFAULT_RARITY, Variant, describe_entries

#: Columns that are in the table and mean the same there.
SHARED_COLUMNS = ("name", "batch_size")

DEFAULT_BASE = Variant(name="base")


@dataclass(frozen=True)
class FigureSource:
    """A complete history table. `variants` gives hyper-parameters by name."""

    table: pl.DataFrame
    variants: Mapping[str, Variant]

    @cached_property
    def rates(self) -> dict[str, tuple[float, float]]:
        """Genre to (train, test) base rate, where both are known."""
        rates = (
            with_base_rates(self.table)
            .select("genre", "train_base_rate", "test_base_rate")
            .drop_nulls()
            .unique("genre", keep="first", maintain_order=True)
        )
        return {genre: (train, test) for genre, train, test in rates.iter_rows()}

    @property
    def base(self) -> Variant:
        """The base variant: the one that others are compared with."""
        return self.variants.get("base", DEFAULT_BASE)

    def is_common(self, genre: str) -> bool:
        """Whether a genre is frequent enough to compare; one of unknown base rate is."""
        return genre not in self.rates or self.rates[genre][0] >= DEFAULT_RARITY

    def with_settings(self, columns: list[str]) -> pl.DataFrame:
        """The table with those hyper-parameters as columns that it lacks, such as `loss`."""
        wanted = [c for c in columns if c in Variant.__struct_fields__ and c not in SHARED_COLUMNS]
        if not wanted:
            return self.table
        values = {c: [_plain(getattr(v, c)) for v in self.variants.values()] for c in wanted}
        for column in values.values():
            if any(isinstance(value, str) for value in column):
                column[:] = map(str, column)
        settings = pl.DataFrame({"name": list(self.variants)} | values)
        table = self.table.drop(*(c for c in wanted if c in self.table.columns))
        return table.join(settings, on="name", how="left", maintain_order="left")


def open_source(table: pl.DataFrame, variants: Mapping[str, Variant] | None = None) -> FigureSource:
    """A history table with every column, `name` and `run` filled, ready to draw from.

    What is infinite is as undefined as what is NaN: it has no place on an axis.

    Parameters
    ----------
    table
        A history table.
    variants
        The hyper-parameters of variants that are none of 2017's; the others follow from what the
        table says.
    """
    table = normalise(table)
    floats = [name for name, kind in table.schema.items() if kind.is_float()]
    table = table.with_columns(
        pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in floats
    )
    if table["name"].null_count() or table["run"].null_count():
        table = fill_identity(table)
    table = _with_one_label_each(table)
    complete: dict[str, Variant] = {}
    settings = table.group_by("name", maintain_order=True).agg(
        pl.col("variant", "Regularizer", "FC1", "FC2", "batch_size").first(),
        pl.col("epoch").max(),
    )
    for row in settings.iter_rows(named=True):
        name = row["name"]
        complete[name] = (variants or {}).get(name) or variant_from_2017(
            row["variant"],
            row["Regularizer"],
            row["FC1"],
            row["FC2"],
            epochs=row["epoch"],
            name=name,
            batch_size=row["batch_size"],
        )
    sizes = {name: variant.batch_size for name, variant in complete.items()}
    table = table.with_columns(
        pl.col("batch_size").fill_null(
            pl.col("name").replace_strict(sizes, default=None, return_dtype=pl.Int64)
        )
    )
    return FigureSource(table, complete)


def _with_one_label_each(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with one `Regularizer` for each value of λ that a variant has.

    The published table says `L1=0e`, a log and a new run of the same variant `L1=0`; where both
    are there, they are drawn as the one that is more frequent.
    """
    labels = table.group_by("name", "Regularizer").len()
    several = labels.filter(pl.len().over("name") > 1).sort("len", "Regularizer", descending=True)
    shown: dict[tuple[str, tuple[str, float]], str] = {}
    replaced: list[tuple[str, str, str]] = []
    for name, label, _ in several.iter_rows():
        meaning = parse_regularizer(label)
        usual = shown.setdefault((name, meaning), label)
        if usual != label and meaning[0] != "none":
            replaced.append((name, label, usual))
    if not replaced:
        return table
    renamed = pl.DataFrame(replaced, schema=["name", "Regularizer", "_usual"], orient="row")
    return (
        table.join(renamed, on=["name", "Regularizer"], how="left", maintain_order="left")
        .with_columns(pl.coalesce("_usual", "Regularizer").alias("Regularizer"))
        .drop("_usual")
    )


def _plain(value: Any) -> Any:
    """A hyper-parameter as one value of a column: a schedule by its kind, lists as text."""
    if isinstance(value, tuple):
        return describe_entries(value) or "all"
    if isinstance(value, msgspec.Struct):
        return type(value).__name__.lower()
    return value
