"""Small history tables with known numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from postertui.history.schema import normalise


def history(
    name: str = "base",
    genre: str = "Comedy",
    seed: int = 0,
    *,
    epochs: int = 5,
    replicate: int = 0,
    **columns: Any,
) -> pl.DataFrame:
    """One run. A column is a value, a list over epochs, or a function of the epoch from 1."""

    def values(column: Any) -> list[Any]:
        if isinstance(column, Callable):  # type: ignore[arg-type]
            return [column(epoch) for epoch in range(1, epochs + 1)]
        return column if isinstance(column, list) else [column] * epochs

    usual = {
        "variant": name,
        "Regularizer": "L1=1e-5",
        "FC1": 256,
        "FC2": 256,
        "name": name,
        "run": f"{genre}--{name}--s{seed}--{replicate}",
        "genre": genre,
        "seed": seed,
        "epoch": list(range(1, epochs + 1)),
        "train_loss": 1.0,
        "train_accuracy": 0.6,
        "train_fscore": 0.4,
        "test_loss": 1.0,
        "test_accuracy": 0.6,
        "test_fscore": 0.35,
    }
    return normalise(pl.DataFrame({k: values(v) for k, v in (usual | columns).items()}))


def soft(name: str, genre: str, seed: int, value: float, **columns: Any) -> pl.DataFrame:
    """One run that ends at a pooled soft test F of `value`."""
    return history(name, genre, seed, test_fscore_soft=value, train_fscore_soft=value, **columns)


def soft_runs(runs: list[tuple[str, str, int, float]], epochs: int = 5) -> pl.DataFrame:
    """Many runs at once: (name, genre, seed, pooled soft test F), the same at every epoch."""
    columns = {"name": pl.String, "genre": pl.String, "seed": pl.Int64, "value": pl.Float64}
    frame = pl.DataFrame(runs, schema=columns, orient="row").with_row_index("k")
    frame = frame.join(pl.DataFrame({"epoch": range(1, epochs + 1)}), how="cross").sort(
        "k", "epoch"
    )
    return normalise(
        frame.with_columns(
            run=pl.format("{}--{}--s{}", "genre", "name", "seed"),
            variant="name",
            Regularizer=pl.lit("L1=1e-5"),
            FC1=256,
            FC2=256,
            test_accuracy=0.6,
            test_fscore="value",
            test_fscore_soft="value",
            train_fscore_soft="value",
            random_key=pl.lit("seed-genre"),
        ).drop("k", "value")
    )


def stack(*tables: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(tables, how="diagonal_relaxed")
