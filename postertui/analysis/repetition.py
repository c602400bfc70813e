"""Histories that are there several times, and several of one setting and seed."""

from __future__ import annotations

import polars as pl

from postertui.analysis.row_states import dead_rows
from postertui.history.schema import DEFAULTS


def repeated_histories(table: pl.DataFrame) -> pl.DataFrame:
    """Histories that are copies of another one of their setting, number for number: `run copy_of`.

    Equal are all metrics of all epochs, whatever the runs and seeds are called. A history that is
    dead from its first epoch is no copy of one with another seed: it has no numbers that differ.
    """
    metrics = [
        name
        for name, kind in table.schema.items()
        if kind.is_numeric()
        and name.startswith(("train_", "test_", "val_"))
        and not name.endswith("base_rate")
    ]
    if not metrics:
        return pl.DataFrame(schema={"run": pl.String, "copy_of": pl.String})
    runs = (
        table.select(
            "run",
            "name",
            "genre",
            defined=pl.any_horizontal(pl.col(name).is_not_null() for name in metrics),
            lives=~dead_rows(table),
            seed=pl.col("seed").fill_null(DEFAULTS["seed"]),
            digest=pl.struct("epoch", *metrics).hash(),
        )
        .group_by("run", maintain_order=True)
        .agg(
            pl.first("name", "genre", "seed"),
            pl.any("defined", "lives"),
            pl.len(),
            pl.sum("digest"),
        )
        .filter("defined")
    )
    runs = runs.with_columns(seed_if_dead=pl.when("lives").then(None).otherwise("seed"))
    runs = runs.with_columns(
        copy_of=pl.col("run").first().over("name", "genre", "len", "digest", "seed_if_dead")
    )
    return runs.filter(pl.col("run") != pl.col("copy_of")).select("run", "copy_of")


def without_copies(table: pl.DataFrame, copies: pl.DataFrame | None = None) -> pl.DataFrame:
    """The table with each history once; `copies` as `repetition_notes` has them."""
    if copies is None:
        copies = repeated_histories(table)
    if copies.is_empty():
        return table
    return table.filter(~pl.col("run").is_in(copies["run"].implode()))


def repetition_notes(table: pl.DataFrame, copies: pl.DataFrame | None = None) -> list[str]:
    """Sentences about histories that occur twice, and about several of one setting and seed.

    Parameters
    ----------
    table
        A history table.
    copies
        Its `repeated_histories`; None to find them here.
    """
    notes = []
    if copies is None:
        copies = repeated_histories(table)
    if copies.height:
        originals = copies["copy_of"].n_unique()
        often = "twice" if copies.height == originals else "several times"
        are = "history is" if originals == 1 else "histories are"
        notes.append(
            f"{originals} {are} there {often}, number for number, and "
            f"{'counts' if originals == 1 else 'count'} once."
        )
        table = without_copies(table, copies)
    several = (
        table.with_columns(pl.col("seed").fill_null(DEFAULTS["seed"]))
        .group_by(
            "genre",
            "name",
            "seed",
            *(c for c in ("train_cohorts", "test_cohorts") if c in table.columns),
        )
        .agg(pl.col("run").n_unique().alias("runs"))
        .filter(pl.col("runs") > 1)
        .sort("genre", "name", "seed")
    )
    if several.height:
        settings = [
            f"{genre}, {name}, seed {seed}"
            for genre, name, seed in several.head(5).select("genre", "name", "seed").iter_rows()
        ]
        more = f" and {several.height - 5} more" if several.height > 5 else ""
        notes.append(
            f"Several histories of one setting and seed with different numbers, each a run of its "
            f"own: {'; '.join(settings)}{more}."
        )
    return notes
