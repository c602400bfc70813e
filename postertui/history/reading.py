"""History tables from files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postertui.history.delimited import MISSING, RawTable, read_parquet, read_text
from postertui.history.identity import fill_identity
from postertui.history.schema import ADDED_SCHEMA, MAX_EPOCH, REQUIRED, SCHEMA, normalise
from postertui.system.errors import UserError

_TEXT_SUFFIXES = (".tsv", ".csv", ".txt", ".tab")


@dataclass(frozen=True)
class LoadedTable:
    """A history table as a file has it.

    `ignored` are the file's columns that are none of the history table's, `given_runs` the runs
    whose names it gives.
    """

    table: pl.DataFrame
    ignored: tuple[str, ...]
    given_runs: frozenset[str]


def read_table(path: Path) -> pl.DataFrame:
    """The history table in a TSV, CSV or Parquet file, every column of `SCHEMA` in order.

    `name` and `run` are filled where the file lacks them; two histories of one setting become
    two runs. For a runs folder see `postertui.read_table`. Raises `UserError` with file, line and
    column where the file is no history table.
    """
    return load_table(path).table


def load_table(path: Path) -> LoadedTable:
    """As `read_table`, together with the names of the columns that were passed over."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UserError(f"{path}: not a regular file; save the table in one")
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, not a .tsv, .csv or .parquet file") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if not is_parquet and path.suffix.lower() not in _TEXT_SUFFIXES:
        raise UserError(f"{path}: not a history table; one is a .tsv, .csv or .parquet file")
    source = read_parquet(path) if is_parquet else read_text(path)
    columns = source.columns.columns
    missing = [c for c in REQUIRED if c not in columns]
    if missing:
        raise UserError(
            f"{path}{', line 1' if source.is_text else ''}: not a history table: there is no "
            f"column {_quoted(missing)}, only {_quoted(columns[:12])}"
        )
    if not any(c in columns for c in SCHEMA if c.startswith(("train_", "test_"))):
        raise UserError(f"{path}: not a history table: no metric, such as `test_fscore`")
    given = {c: source.cast(c, dtype) for c, dtype in SCHEMA.items() if c in columns}
    blank = pl.DataFrame(given).select(pl.all_horizontal(pl.all().is_null())).to_series()
    for name in given:
        _check_column(source, name, given[name], blank)
    table = normalise(
        pl.DataFrame(given)
        .filter(~blank)
        .with_columns(
            pl.col(c).replace(dict.fromkeys(MISSING))
            for c, dtype in ADDED_SCHEMA.items()
            if dtype is pl.String and c in given
        )
    )
    return LoadedTable(
        fill_identity(table),
        tuple(c for c in columns if c not in SCHEMA),
        frozenset(table["run"].drop_nulls()),
    )


def _check_column(source: RawTable, name: str, column: pl.Series, blank: pl.Series) -> None:
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


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{n[:40]}`" for n in names)
