"""History tables from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postertui.history.identity import fill_identity
from postertui.history.schema import (
    ADDED_SCHEMA,
    EXTRA_NAME,
    MAX_EPOCH,
    REQUIRED,
    SCHEMA,
    normalise,
)
from postertui.history.spreadsheets import without_marks
from postertui.system.errors import UserError
from postertui.tabular import MISSING, Table, read_tabular
from postertui.tabular.decoding import PACKED_SUFFIXES, TEXT_SUFFIXES
from postertui.tabular.dialect import describe_names

_SIDES = ("train_", "test_", "val_")


@dataclass(frozen=True)
class LoadedTable:
    """A history table as a file has it.

    `ignored` are the file's columns that hold no metric, `given_runs` the runs whose names it
    gives.
    """

    table: pl.DataFrame
    ignored: tuple[str, ...]
    given_runs: frozenset[str]


def read_table(path: Path) -> pl.DataFrame:
    """The history table in a TSV, CSV or Parquet file, every column of `SCHEMA` in order,
    then its columns of other numbers.

    `name` and `run` are filled where the file lacks them; two histories of one setting become
    two runs. For a runs folder see `postertui.read_table`. Raises `UserError` with file, line and
    column where the file is no history table.
    """
    return load_table(path).table


def load_table(path: Path, encoding: str | None = None) -> LoadedTable:
    """As `read_table`, together with the names of the columns that were passed over."""
    return from_tabular(open_table(path, encoding))


def open_table(path: Path, encoding: str | None = None) -> Table:
    """The columns of a file that is called as a table is. Raises `UserError`."""
    _check_name(path)
    return read_tabular(path, encoding)


def is_history(source: Table) -> bool:
    """Whether a table has the columns that identify a history."""
    return all(name in source.columns.columns for name in REQUIRED)


def from_tabular(source: Table) -> LoadedTable:
    """The history table in columns of any type. Raises as `read_table` does."""
    path, columns = source.path, source.columns.columns
    missing = [c for c in REQUIRED if c not in columns]
    if missing:
        raise UserError(
            f"{path}{', line 1' if source.is_text else ''}: not a history table: there is no "
            f"column {describe_names(missing)}, only {describe_names(source.names)}"
        )
    extra = _extra_metrics(source)
    if not extra and not any(c in columns for c in SCHEMA if c.startswith(_SIDES)):
        raise UserError(f"{path}: not a history table: no metric, such as `test_fscore`")
    given = {c: source.cast(c, dtype) for c, dtype in SCHEMA.items() if c in columns}
    if source.separator == ",":
        given |= {c: without_marks(v) for c, v in given.items() if v.dtype == pl.String}
    blank = pl.DataFrame(given).select(pl.all_horizontal(pl.all().is_null())).to_series()
    for name in given:
        _check_column(source, name, given[name], blank)
    table = normalise(
        pl.DataFrame([*given.values(), *extra])
        .filter(~blank)
        .with_columns(
            pl.col(c).replace(dict.fromkeys(MISSING))
            for c, dtype in ADDED_SCHEMA.items()
            if dtype is pl.String and c in given
        )
    )
    kept = {*SCHEMA, *(column.name for column in extra)}
    table = _latest_attempts(table)
    return LoadedTable(
        fill_identity(table),
        tuple(c for c in source.names if c not in kept),
        frozenset(table["run"].drop_nulls()),
    )


def _check_name(path: Path) -> None:
    """Refuse a file that is neither Parquet nor called as a text table is."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED_SUFFIXES:
        suffixes.pop()
    if path.is_dir() or (suffixes and suffixes[-1] in (*TEXT_SUFFIXES, ".parquet")):
        return
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if not is_parquet:
        raise UserError(
            f"{path}: not a history table; one is a .tsv, .csv, .jsonl or .parquet file"
        )


def _latest_attempts(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with the later attempt's row where two attempts of a named run have an epoch."""
    epoch = ["run", "epoch"]
    newest = pl.col("attempt").max().over(epoch)
    return table.filter(
        pl.col("run").is_null() | newest.is_null() | (pl.col("attempt").fill_null(0) == newest)
    )


def _extra_metrics(source: Table) -> list[pl.Series]:
    """The columns of numbers that are none of the history table's own."""
    extra = []
    for name in source.names:
        if name in SCHEMA or not EXTRA_NAME.fullmatch(name):
            continue
        try:
            numbers = source.cast(name, pl.Float64)
        except UserError:
            continue
        if numbers.null_count() < len(numbers):
            extra.append(numbers)
    return extra


def _check_column(source: Table, name: str, column: pl.Series, blank: pl.Series) -> None:
    """Refuse what no history can have, with file, line and column; `blank` rows do not count."""
    lowest = 1 if name == "epoch" else 0
    wrong = pl.Series([False]).new_from_index(0, len(column))
    if name in REQUIRED:
        wrong = column.is_null()
    if SCHEMA[name] is pl.Int64 and name != "seed":
        wrong |= ((column < lowest) | (column > MAX_EPOCH if name == "epoch" else False)).fill_null(
            value=False
        )
    if not (wrong & ~blank).any():
        return
    row = (wrong & ~blank).arg_true()[0]
    if column[row] is None:
        reason = "is empty"
    elif column[row] < lowest:
        reason = "counts from 1" if name == "epoch" else f"{column[row]} is below 0"
    else:
        reason = f"{column[row]} is more than the {MAX_EPOCH:,} that a history can have"
    raise UserError(f"{source.where(row)}, column `{name}`: {reason}")
