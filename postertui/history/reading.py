"""History tables from files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
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
from postertui.system.read_ahead import read_ahead
from postertui.tabular import MISSING, Table, read_portions, read_tabular
from postertui.tabular.decoding import PACKED_SUFFIXES, TEXT_SUFFIXES
from postertui.tabular.dialect import describe_names
from postertui.tabular.portions import IrregularTextError

_SIDES = ("train_", "test_", "val_")


@dataclass(frozen=True)
class LoadedTable:
    """A history table as a file has it.

    Parameters
    ----------
    table
        With all columns of `SCHEMA`.
    ignored
        The file's columns that hold no metric.
    given_runs
        The runs whose names the file gives.
    notes
        What a user should read about it, a line each.
    """

    table: pl.DataFrame
    ignored: tuple[str, ...]
    given_runs: frozenset[str]
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> pl.DataFrame:
    """The history table in a TSV, CSV or Parquet file.

    For a runs folder see `postertui.read_table`.

    Returns
    -------
    polars.DataFrame
        Every column of `SCHEMA` in order, then those of other numbers. `name` and `run` are
        filled where the file lacks them; two histories of one setting become two runs.

    Raises
    ------
    UserError
        With file, line and column, where the file is no history table.
    """
    return load_table(path).table


def load_table(path: Path) -> LoadedTable:
    """As `read_table`, together with the names of the columns that were passed over."""
    table = load_any_table(path)
    return _from_portions([table]) if isinstance(table, Table) else table


def load_any_table(path: Path, encoding: str | None = None) -> LoadedTable | Table:
    """The history table in a file that is called as a table is, or the table that it holds instead.

    Parameters
    ----------
    encoding
        Of a text file; without it UTF-8, or UTF-16 or UTF-32 where the first bytes say so.

    Raises
    ------
    UserError
        For another name, and where the file is no table.
    """
    _check_name(path)
    portions = read_portions(path, encoding)
    first = next(portions)
    is_history = all(name in first.columns.columns for name in REQUIRED)
    try:
        if is_history:
            return _from_portions(chain([first], read_ahead(portions)))
        if next(portions, None) is None:
            return first
    except IrregularTextError:
        pass
    whole = read_tabular(path, encoding)
    return _from_portions([whole]) if is_history else whole


def _from_portions(portions: Iterable[Table]) -> LoadedTable:
    """The history table in columns of any type. Raises as `read_table` does."""
    table = None
    for portion in portions:
        part = _normalised(portion)
        table = _compact(part) if table is None else _append(table, _compact(part))
        path, names, notes = portion.path, portion.names, portion.notes
    assert table is not None
    table = table.with_columns(pl.col(pl.Categorical).cast(pl.String)).rechunk()
    extra = [
        name
        for name in table.columns
        if name not in SCHEMA and table[name].null_count() < table.height
    ]
    if not extra and not any(c in names for c in SCHEMA if c.startswith(_SIDES)):
        raise UserError(f"{path}: not a history table: no metric, such as `test_fscore`")
    table = table.select(*SCHEMA, *extra)
    table = _latest_attempts(table)
    return LoadedTable(
        fill_identity(table),
        tuple(c for c in names if c not in SCHEMA and c not in extra),
        frozenset(table["run"].drop_nulls().unique()),
        notes,
    )


def _compact(part: pl.DataFrame) -> pl.DataFrame:
    """`part` with a number for each text: a quarter of the memory while portions gather."""
    return part.with_columns(pl.col(pl.String).cast(pl.Categorical))


def _append(table: pl.DataFrame, part: pl.DataFrame) -> pl.DataFrame:
    """`table` with the rows of `part` behind its own, in the columns that both have.

    The table grows in place: joining all portions at the end holds them in memory twice.
    """
    common = [name for name in table.columns if name in part.columns]
    if len(common) < table.width:
        table = table.select(common)
    return table.extend(part.select(common))


def _normalised(source: Table) -> pl.DataFrame:
    """The rows of a portion, with all its columns of numbers that the history table lacks."""
    path, columns = source.path, source.columns.columns
    missing = [c for c in REQUIRED if c not in columns]
    if missing:
        raise UserError(
            f"{path}{', line 1' if source.is_text else ''}: not a history table: there is no "
            f"column {describe_names(missing)}, only {describe_names(source.names)}"
        )
    given = source.cast_all({c: dtype for c, dtype in SCHEMA.items() if c in columns})
    if source.separator == ",":
        given |= {c: without_marks(v) for c, v in given.items() if v.dtype == pl.String}
    blank = pl.DataFrame(given).select(pl.all_horizontal(pl.all().is_null())).to_series()
    for name in given:
        _check_column(source, name, given[name], blank)
    return normalise(
        pl.DataFrame([*given.values(), *_extra_metrics(source)])
        .filter(~blank)
        .with_columns(
            pl.col(c).replace(dict.fromkeys(MISSING))
            for c, dtype in ADDED_SCHEMA.items()
            if dtype is pl.String and c in given
        )
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
    if table["attempt"].n_unique() == 1:
        return table
    epoch = ["run", "epoch"]
    newest = pl.col("attempt").max().over(epoch)
    is_kept = table.select(
        pl.col("run").is_null() | newest.is_null() | (pl.col("attempt").fill_null(0) == newest)
    ).to_series()
    return table if is_kept.all() else table.filter(is_kept)


def _extra_metrics(source: Table) -> list[pl.Series]:
    """The columns of numbers that are none of the history table's own."""
    extra = []
    for name in source.names:
        if name in SCHEMA or not EXTRA_NAME.fullmatch(name):
            continue
        try:
            extra.append(source.cast(name, pl.Float64))
        except UserError:
            continue
    return extra


def _check_column(source: Table, name: str, column: pl.Series, blank: pl.Series) -> None:
    """Refuse what no history can have, with file, line and column; `blank` rows do not count."""
    lowest = 1 if name == "epoch" else 0
    highest = MAX_EPOCH if name == "epoch" else None
    is_counted = SCHEMA[name] is pl.Int64 and name != "seed"
    has_gap = name in REQUIRED and column.null_count() > 0
    if not has_gap and not (is_counted and _exceeds(column, lowest, highest)):
        return
    wrong = column.is_null() if has_gap else pl.repeat(False, len(column), eager=True)
    if is_counted:
        beyond = (column < lowest) | (column > highest if highest else False)
        wrong |= beyond.fill_null(value=False)
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


def _exceeds(column: pl.Series, lowest: int, highest: int | None) -> bool:
    """Whether a whole number of the column is below or above its bounds."""
    least, most = column.min(), column.max()
    if not isinstance(least, int) or not isinstance(most, int):
        return False
    return least < lowest or (highest is not None and most > highest)
