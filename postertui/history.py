"""From runs to the history table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from postertui.store import Run
from postertui.table import SCHEMA


def history_table(runs: Iterable[Run]) -> pl.DataFrame:
    """One row per finished epoch of each run, in the order of (variant, genre, seed, epoch)."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA}
    for run in runs:
        if run.spec is None:
            continue
        constants = run_columns(run)
        for name, values in columns.items():
            if name in constants:
                values.extend([constants[name]] * len(run.epochs))
            else:
                values.extend([event.get(name) for event in run.epochs])
    table = pl.DataFrame(columns, schema=SCHEMA)
    return table.sort("name", "genre", "seed", "run", "epoch", maintain_order=True)


def run_columns(run: Run) -> dict[str, Any]:
    """The columns that are the same in every row of a run."""
    assert run.spec is not None
    spec, variant = run.spec, run.spec.variant
    return {
        "Regularizer": spec.label or variant.regularizer_label,
        "FC1": variant.fc1,
        "FC2": variant.fc2,
        "genre": spec.genre,
        "variant": variant.family,
        "name": variant.name,
        "run": run.name,
        "seed": spec.seed,
        "study": spec.study,
        "train_base_rate": spec.train_base_rate,
        "test_base_rate": spec.test_base_rate,
        "batch_size": variant.batch_size,
    }
