"""The history table: one row per run and epoch.

- `schema`: its columns
- `identity`: which rows are one history
- `reading`, `writing`: from and into TSV, CSV and Parquet
"""

from postertui.table.identity import fill_identity
from postertui.table.reading import LoadedTable, load_table, read_table
from postertui.table.schema import (
    ADDED_SCHEMA,
    DEFAULTS,
    MAX_EPOCH,
    PUBLISHED_SCHEMA,
    REQUIRED,
    SCHEMA,
    SETTING,
    normalise,
    with_base_rates,
)
from postertui.table.writing import check_target, write_table

__all__ = [
    "ADDED_SCHEMA",
    "DEFAULTS",
    "MAX_EPOCH",
    "PUBLISHED_SCHEMA",
    "REQUIRED",
    "SCHEMA",
    "SETTING",
    "LoadedTable",
    "check_target",
    "fill_identity",
    "load_table",
    "normalise",
    "read_table",
    "with_base_rates",
    "write_table",
]
