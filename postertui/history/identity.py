"""Which rows of a table are one history, and the name of its run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from postertui.history.schema import SCHEMA, SETTING, extra_columns
from postertui.published.naming import variant_name
from postertui.system.text import slugify


def fill_identity(table: pl.DataFrame) -> pl.DataFrame:
    """The table with `name` and `run` where they are null, and one (run, epoch) a row.

    A setting that has an epoch twice has two histories; the second is a run of its own, with a
    number behind its name. The names follow from the rows and their order alone.

    Parameters
    ----------
    table
        With all columns of `SCHEMA`, as `normalise` makes it.
    """
    key = [*SETTING, "name", "run", "seed"]
    # Rows of one history mostly stand together, and looking at stretches of them is far quicker.
    changes = [pl.col(c).ne_missing(pl.col(c).shift()) for c in key]
    begins = table.select(pl.any_horizontal(changes)).to_series()
    stretches = table.select(key).filter(begins)
    groups = stretches.select(key).unique(maintain_order=True).with_row_index("_group")
    stretches = stretches.join(groups, on=key, how="left", maintain_order="left", nulls_equal=True)
    rows = table.select("epoch", stretches["_group"].gather(begins.cum_sum() - 1))
    rows = rows.with_columns(_stretches_by_epoch("_group").alias("_history"))
    if rows["_history"].max() != 1:
        rows = rows.with_columns(_number_histories("_group").alias("_history"))
    histories = (
        rows.select("_group", "_history")
        .unique(maintain_order=True)
        .join(_named(groups), on="_group", how="left", maintain_order="left")
    )
    runs = _name_runs(histories.iter_rows(named=True), set(histories["run"].drop_nulls()))
    histories = histories.select(
        "_group", "_history", "name", pl.Series("run", runs, dtype=pl.String)
    )
    names_of_rows = rows.select("_group", "_history").join(
        histories, on=["_group", "_history"], how="left", maintain_order="left"
    )
    return table.with_columns(names_of_rows.select("name", "run")).select(
        [*SCHEMA, *extra_columns(table)]
    )


def _named(groups: pl.DataFrame) -> pl.DataFrame:
    """`groups` with a name for each variant that has none."""
    names = [
        name or variant_name(family, label, fc1, fc2)
        for name, family, label, fc1, fc2 in groups.select(
            "name", "variant", "Regularizer", "FC1", "FC2"
        ).iter_rows()
    ]
    return groups.with_columns(pl.Series("name", names, dtype=pl.String))


def _number_histories(key: str) -> pl.Expr:
    """Which of its setting's histories a row belongs to, from 1.

    Histories that stand one after the other begin where the epochs do not rise. Where rows are in
    any other order, the n-th row of an epoch is the n-th history's.
    """
    nth = pl.col("epoch").cum_count().over(key, "epoch")
    stretch = pl.col("_history")
    in_order = stretch.max().over(key) == nth.max().over(key)
    return pl.when(in_order).then(stretch).otherwise(nth)


def _stretches_by_epoch(key: str) -> pl.Expr:
    """Which stretch of rising epochs among its setting's rows a row belongs to, from 1."""
    epoch = pl.col("epoch")
    return (epoch <= epoch.shift()).fill_null(value=False).cum_sum().over(key) + 1


def _name_runs(histories: Iterable[dict[str, Any]], given: set[str]) -> list[str]:
    """A name for each history: its own, or one from its setting, with a number if it is taken."""
    used: set[str] = set()
    numbers: dict[str, int] = {}
    names = []
    for history in histories:
        name = history["run"]
        if name is None or name in used:
            wanted = name or _run_name(history)
            name, number = wanted, numbers.get(wanted, 1)
            while name in used or name in given:
                number += 1
                name = f"{wanted}--{number}"
            numbers[wanted] = number
        used.add(name)
        names.append(name)
    return names


def _run_name(history: dict[str, Any]) -> str:
    seed = "" if history["seed"] is None else f"--s{history['seed']}"
    return f"{slugify(history['genre'])}--{slugify(history['name'])}{seed}"
