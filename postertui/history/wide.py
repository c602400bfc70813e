"""One row a run, for spreadsheets."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from postertui.history.metric_names import lower_is_better
from postertui.history.schema import SCHEMA, extra_columns
from postertui.history.spreadsheets import spreadsheet_safe
from postertui.system.atomic_files import atomic_writer
from postertui.system.errors import UserError

#: The columns that are one value a run.
_SETTINGS = (
    "run", "genre", "name", "variant", "Regularizer", "FC1", "FC2", "seed", "study", "batch_size",
    "train_base_rate", "test_base_rate",
)  # fmt: skip


def wide_table(table: pl.DataFrame) -> pl.DataFrame:
    """One row for each run of a history table.

    After the run's settings come `epochs`, the number of the last one, and for each metric its
    value there (`last_…`) and, of test metrics, the best over the epochs (`best_…`), which is
    too good by that choice.
    """
    settings = [c for c in _SETTINGS if c in table.columns]
    metrics = [
        name
        for name in table.columns
        if name.startswith(("train_", "val_", "test_"))
        and not name.endswith("_base_rate")
        and (SCHEMA.get(name) in (pl.Float64, pl.Int64) or name in extra_columns(table))
        and table[name].null_count() < len(table)
    ]
    scores = [m for m in metrics if m.startswith("test_") and table.schema[m] == pl.Float64]
    return (
        table.sort("run", "epoch", maintain_order=True)
        .group_by("run", maintain_order=True)
        .agg(
            *(pl.col(name).last() for name in settings if name != "run"),
            pl.col("epoch").max().alias("epochs"),
            *(pl.col(name).last().alias(f"last_{name}") for name in metrics),
            *(
                (pl.col(m).min() if lower_is_better(m) else pl.col(m).max())
                .alias(f"best_{m}")
                for m in scores
            ),
        )
    )  # fmt: skip


def write_wide(table: pl.DataFrame, path: Path) -> int:
    """Write `wide_table` whole or not at all.

    A text that a spreadsheet would take for a formula begins with `'`, as spreadsheets mark text.

    Parameters
    ----------
    path
        As TSV where it ends so, else as CSV.

    Returns
    -------
    int
        How many rows it has.

    Raises
    ------
    UserError
        Where the file cannot be written (exit code 1).
    """
    wide = spreadsheet_safe(wide_table(table))
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with atomic_writer(path, private=False) as draft:
            wide.write_csv(draft, separator=separator)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}", exit_code=1) from None
    return wide.height
