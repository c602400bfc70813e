"""The history table: one row per epoch of every run; its columns, its files.

The published columns come first, under the names of 2017, so that any table from then loads and
any table written today opens in the old R code. An undefined metric is null in memory and `NaN`
in text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from postertui.delimited import MISSING, RawTable, read_parquet, read_text
from postertui.errors import UserError
from postertui.naming import variant_name
from postertui.published import BASE_RATES
from postertui.runs import slugify
from postertui.whole import draft_of

PUBLISHED_SCHEMA: dict[str, type[pl.DataType]] = {
    "Regularizer": pl.String,
    "FC1": pl.Int64,
    "FC2": pl.Int64,
    "genre": pl.String,
    "variant": pl.String,
    "epoch": pl.Int64,
    "train_loss": pl.Float64,
    "train_accuracy": pl.Float64,
    "train_fscore": pl.Float64,
    "test_loss": pl.Float64,
    "test_accuracy": pl.Float64,
    "test_fscore": pl.Float64,
}

_COUNTS = {
    f"{cohort}_{cell}": pl.Int64
    for cohort in ("train", "test")
    for cell in ("tp", "fp", "fn", "tn")
}

ADDED_SCHEMA: dict[str, type[pl.DataType]] = {
    "name": pl.String,
    "run": pl.String,
    "seed": pl.Int64,
    "attempt": pl.Int64,
    "study": pl.String,
    "train_fscore_soft": pl.Float64,
    "train_fscore_hard": pl.Float64,
    "test_fscore_soft": pl.Float64,
    "test_fscore_hard": pl.Float64,
    **_COUNTS,
    "train_base_rate": pl.Float64,
    "test_base_rate": pl.Float64,
    "batch_size": pl.Int64,
    "empty_batches": pl.Int64,
    "dead": pl.Boolean,
    "learning_rate": pl.Float64,
    "seconds": pl.Float64,
}

#: Column name to polars type, in the order in which a table is written.
SCHEMA: dict[str, type[pl.DataType]] = {**PUBLISHED_SCHEMA, **ADDED_SCHEMA}

#: What a run is taken for where its table leaves it open.
DEFAULTS: dict[str, Any] = {"seed": 0, "attempt": 1, "study": "imported", "dead": False}

#: What tells one history from another; a table without these cannot be read.
SETTING = ("Regularizer", "FC1", "FC2", "genre", "variant")
REQUIRED = (*SETTING, "epoch")

#: The last epoch that a run can have.
MAX_EPOCH = 10_000_000

_SUFFIXES = (".tsv", ".csv", ".parquet")
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
    there = source.columns.columns
    missing = [c for c in REQUIRED if c not in there]
    if missing:
        raise UserError(
            f"{path}{', line 1' if source.is_text else ''}: not a history table: there is no "
            f"column {_quoted(missing)}, only {_quoted(there[:12])}"
        )
    if not any(c in there for c in SCHEMA if c.startswith(("train_", "test_"))):
        raise UserError(f"{path}: not a history table: no metric, such as `test_fscore`")
    given = {c: source.cast(c, dtype) for c, dtype in SCHEMA.items() if c in there}
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
        tuple(c for c in there if c not in SCHEMA),
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


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a history table as `.tsv`, `.csv` or `.parquet`, whole or not at all.

    Text is for `read.table(header=TRUE, sep="\\t")` and its like: an undefined metric is `NaN`,
    any other missing value `NA`; strings that R would take apart are quoted.
    """
    check_target(path)
    table = normalise(table)
    try:
        with draft_of(path, private=False) as draft:
            if path.suffix.lower() == ".parquet":
                table.write_parquet(draft, compression="zstd")
            else:
                _write_text(table, draft, "\t" if path.suffix.lower() == ".tsv" else ",")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}", exit_code=1) from None


def check_target(path: Path) -> None:
    """Raises `UserError` for a path that no table can be written to."""
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(f"{path}: name the table .tsv, .csv or .parquet")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")


def normalise(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with exactly the columns of `SCHEMA`, undefined values and empty strings null."""
    columns = []
    for name, dtype in SCHEMA.items():
        column = pl.col(name) if name in table.columns else pl.lit(None).alias(name)
        column = column.cast(dtype)
        if dtype is pl.Float64:
            column = pl.when(column.is_finite()).then(column)
        elif dtype is pl.String and name not in SETTING:
            column = pl.when(column != "").then(column)
        columns.append(column.alias(name))
    return table.select(columns)


def with_base_rates(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with base rates that it lacks taken from the 2017 study, where it had the genre."""
    rates = pl.DataFrame(
        [(g, train, test) for g, (train, test) in BASE_RATES.items()],
        schema={"genre": pl.String, "_train": pl.Float64, "_test": pl.Float64},
        orient="row",
    )
    return (
        table.join(rates, on="genre", how="left", maintain_order="left")
        .with_columns(
            pl.col("train_base_rate").fill_null(pl.col("_train")),
            pl.col("test_base_rate").fill_null(pl.col("_test")),
        )
        .drop("_train", "_test")
    )


def fill_identity(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with `name` and `run` where they are null, and one (run, epoch) a row.

    A setting that has an epoch twice has two histories; the second is a run of its own, with a
    number behind its name. The names follow from the rows and their order alone.
    """
    key = [*SETTING, "name", "run", "seed"]
    # Rows of one history mostly stand together, and looking at stretches of them is far quicker.
    changes = [pl.col(c).ne_missing(pl.col(c).shift()) for c in key]
    table = table.with_columns(pl.any_horizontal(changes).cum_sum().alias("_stretch"))
    stretches = table.select("_stretch", *key).unique("_stretch", keep="first", maintain_order=True)
    groups = stretches.select(key).unique(maintain_order=True).with_row_index("_group")
    stretches = stretches.join(
        groups, on=key, how="left", maintain_order="left", nulls_equal=True
    ).select("_stretch", "_group")
    table = table.join(stretches, on="_stretch", how="left", maintain_order="left")
    table = table.with_columns(_stretches_by_epoch("_group").alias("_history"))
    if table["_history"].max() != 1:
        table = table.with_columns(_number_histories("_group").alias("_history"))
    histories = (
        table.select("_group", "_history")
        .unique(maintain_order=True)
        .join(_named(groups), on="_group", how="left", maintain_order="left")
    )
    runs = _name_runs(histories.iter_rows(named=True), set(histories["run"].drop_nulls()))
    histories = histories.select(
        "_group", "_history", "name", pl.Series("run", runs, dtype=pl.String)
    )
    return (
        table.drop("name", "run")
        .join(histories, on=["_group", "_history"], how="left", maintain_order="left")
        .select(list(SCHEMA))
    )


def _named(groups: pl.DataFrame) -> pl.DataFrame:
    """`groups` with a name for each variant that has none."""
    names = [
        name or variant_name(family, label, fc1, fc2)
        for name, family, label, fc1, fc2 in groups.select(
            "name", "variant", "Regularizer", "FC1", "FC2"
        ).iter_rows()
    ]
    return groups.with_columns(pl.Series("name", names, dtype=pl.String))


def _number_histories(key: str) -> pl.Expr:
    """Which of its setting's histories a row belongs to, from 1.

    Histories that stand one after the other begin where the epochs do not rise. Where rows are in
    any other order, the n-th row of an epoch is the n-th history's.
    """
    nth = pl.col("epoch").cum_count().over(key, "epoch")
    stretch = pl.col("_history")
    in_order = stretch.max().over(key) == nth.max().over(key)
    return pl.when(in_order).then(stretch).otherwise(nth)


def _stretches_by_epoch(key: str) -> pl.Expr:
    """Which stretch of rising epochs among its setting's rows a row belongs to, from 1."""
    epoch = pl.col("epoch")
    return (epoch <= epoch.shift()).fill_null(value=False).cum_sum().over(key) + 1


def _name_runs(histories: Iterable[dict[str, Any]], given: set[str]) -> list[str]:
    """A name for each history: its own, or one from its setting, with a number if it is taken."""
    used: set[str] = set()
    numbers: dict[str, int] = {}
    names = []
    for history in histories:
        name = history["run"]
        if name is None or name in used:
            wish = name or _run_name(history)
            name, number = wish, numbers.get(wish, 1)
            while name in used or name in given:
                number += 1
                name = f"{wish}--{number}"
            numbers[wish] = number
        used.add(name)
        names.append(name)
    return names


def _run_name(history: dict[str, Any]) -> str:
    seed = "" if history["seed"] is None else f"--s{history['seed']}"
    return f"{slugify(history['genre'])}--{slugify(history['name'])}{seed}"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{n[:40]}`" for n in names)


def _write_text(table: pl.DataFrame, path: Path, separator: str) -> None:
    strings = [c for c, dtype in SCHEMA.items() if dtype is pl.String]
    # R takes ' and # for quotes and comments, and a bare NA for a missing value.
    special = table.select(
        pl.any_horizontal(
            pl.col(strings).str.contains(r"""['#"\\]|^\s|\s$|^NA$""").any(ignore_nulls=True)
        )
    ).item()
    floats = [c for c, dtype in SCHEMA.items() if dtype is pl.Float64]
    table.with_columns(pl.col(floats).fill_null(float("nan"))).write_csv(
        path,
        separator=separator,
        null_value="NA",
        quote_style="non_numeric" if special else "necessary",
    )
