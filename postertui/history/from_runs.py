"""From runs to the history table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from postertui.history.schema import SCHEMA
from postertui.runs.epoch_line import COLUMNS
from postertui.runs.store.columns import Rows
from postertui.runs.store.run import Run

#: How many runs' epochs are joined at a time.
_BLOCKS_AT_ONCE = 1000


def history_table(
    runs: Iterable[Run], rows_of: Callable[[Run], Rows] | None = None
) -> pl.DataFrame:
    """One row per finished epoch of each run, in the order of (variant, genre, seed, epoch).

    Parameters
    ----------
    rows_of
        The epochs of a run to include, (epochs, columns) as `EpochBuffer.rows` has them; by default
        all. A run with metrics beyond `COLUMNS` must have all of them.

    Returns
    -------
    polars.DataFrame
        The columns of `SCHEMA`, then the metrics beyond them that any of the runs has.
    """
    chosen = [run for run in runs if run.spec is not None and run.epoch]
    if not chosen:
        return pl.DataFrame(schema=SCHEMA)
    chosen.sort(key=_order)
    constants = pl.DataFrame(
        [run_columns(run) for run in chosen],
        schema={name: SCHEMA[name] for name in run_columns(chosen[0])},
    )
    blocks = [run.buffer.rows() if rows_of is None else rows_of(run) for run in chosen]
    of_run = np.repeat(np.arange(len(chosen), dtype=np.uint32), [len(b) for b in blocks])
    repeated = constants[of_run]
    columns: list[pl.Series] = []
    recorded = _recorded_columns(blocks)
    for name, kind in SCHEMA.items():
        if name in constants.columns:
            columns.append(repeated[name])
        elif name in COLUMNS:
            columns.append(recorded[name])
        else:
            columns.append(pl.Series(name, [None], dtype=kind).new_from_index(0, len(of_run)))
    return pl.DataFrame([*columns, *_extra_columns(chosen, [len(b) for b in blocks])])


def _recorded_columns(blocks: Sequence[Rows]) -> dict[str, pl.Series]:
    """Those of `COLUMNS` that the table has, all blocks' one after the other; null where undefined.

    Blocks are joined some at a time before they are cut into columns, since thousands are small;
    and a column's numbers are released once polars has them, or all would be in memory twice.
    """
    places = {name: place for place, name in enumerate(COLUMNS) if name in SCHEMA}
    total = sum(map(len, blocks))
    numbers = {name: np.empty(total) for name in places}
    start = 0
    for first in range(0, len(blocks), _BLOCKS_AT_ONCE):
        rows = np.concatenate(blocks[first : first + _BLOCKS_AT_ONCE])
        for name, place in places.items():
            numbers[name][start : start + len(rows)] = rows[:, place]
        start += len(rows)
    columns: dict[str, pl.Series] = {}
    for name in places:
        column = pl.Series(name, numbers.pop(name), nan_to_null=True)
        columns[name] = column if SCHEMA[name] is pl.Float64 else column.cast(SCHEMA[name])
    return columns


def _extra_columns(runs: Sequence[Run], lengths: Sequence[int]) -> list[pl.Series]:
    """The metrics that only some programs record, NaN for the other runs.

    `lengths` are the runs' numbers of epochs.
    """
    views = [run.epochs for run in runs]
    columns = []
    for name in dict.fromkeys(name for view in views for name in view.extra_names):
        parts = [
            view.array(name) if name in view.extra_names else np.full(length, np.nan)
            for view, length in zip(views, lengths, strict=True)
        ]
        columns.append(pl.Series(name, np.concatenate(parts)).fill_nan(None))
    return columns


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
        "random_key": spec.random_key,
        "stopped_early": run.has_own_end,
        "train_cohorts": _join(spec.train_cohorts),
        "test_cohorts": _join(spec.test_cohorts),
        "train_base_rate": spec.train_base_rate,
        "test_base_rate": spec.test_base_rate,
        "val_base_rate": spec.val_base_rate,
        "batch_size": variant.batch_size,
    }


@lru_cache(256)
def _join(cohorts: tuple[int, ...]) -> str:
    return "".join(map(str, cohorts))


def _order(run: Run) -> tuple[str, str, int, str]:
    assert run.spec is not None
    return run.spec.variant.name, run.spec.genre, run.spec.seed, run.name
