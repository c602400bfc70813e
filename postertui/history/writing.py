"""History tables into files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from postertui.history.schema import SCHEMA, normalise
from postertui.history.spreadsheets import spreadsheet_safe
from postertui.system.atomic_files import atomic_writer
from postertui.system.errors import UserError
from postertui.tabular.parquet_file import write_parquet

_SUFFIXES = (".tsv", ".csv", ".parquet")


def write_table(table: pl.DataFrame, path: Path) -> None:
    r"""Write a history table whole or not at all.

    Text is written for R's `read.table(header=TRUE, sep="\t")`: an undefined metric is `NaN`, any
    other missing value `NA`; strings that R would split are quoted.

    Parameters
    ----------
    path
        As its end says: `.tsv`, `.csv` or `.parquet`.

    Raises
    ------
    UserError
        As `check_target`, and where the file cannot be written (exit code 1).
    """
    check_target(path)
    table = normalise(table)
    try:
        with atomic_writer(path, private=False) as draft:
            if path.suffix.lower() == ".parquet":
                write_parquet(table, draft)
            else:
                _write_text(table, draft, "\t" if path.suffix.lower() == ".tsv" else ",")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}", exit_code=1) from None


def check_target(path: Path) -> None:
    """Refuse a path that no table can be written to.

    Raises
    ------
    UserError
        For another end than `.tsv`, `.csv` and `.parquet`, a missing folder, and a folder.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(f"{path}: name the table .tsv, .csv or .parquet")
    if not path.parent.is_dir():
        raise UserError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")


def _write_text(table: pl.DataFrame, path: Path, separator: str) -> None:
    strings = [c for c, dtype in SCHEMA.items() if dtype is pl.String]
    # R takes ' and # for quotes and comments, and a bare NA for a missing value; readers take a
    # byte-order mark at the start of a line for none of the text.
    special = any(
        table[c].unique().str.contains(r"""['#"\\]|^[\s\x{FEFF}]|\s$|^NA$""").any() for c in strings
    )
    if separator == ",":
        table = spreadsheet_safe(table)
    floats = [c for c, dtype in SCHEMA.items() if dtype is pl.Float64]
    table.with_columns(pl.col(floats).fill_null(float("nan"))).write_csv(
        path,
        separator=separator,
        null_value="NA",
        quote_style="non_numeric" if special else "necessary",
    )
