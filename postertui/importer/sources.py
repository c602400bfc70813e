"""Reading what is to be imported: logs of 2017 and history tables."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postertui.history.identity import fill_identity
from postertui.history.reading import load_table
from postertui.history.schema import SCHEMA, normalise, with_base_rates
from postertui.published.logs import Log, read_log
from postertui.published.unreadable import UnreadableLogError
from postertui.runs import layout
from postertui.system.errors import UserError


@dataclass(frozen=True)
class SkippedHistory:
    """A file or history that was not imported, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class HistorySource:
    """The histories that were read from one PATH, one run each.

    `table` has all columns of `SCHEMA`; `named` are the runs that the table itself names.
    """

    path: Path
    table: pl.DataFrame
    named: frozenset[str] = frozenset()
    skipped: tuple[SkippedHistory, ...] = ()
    notes: tuple[str, ...] = ()


def read_source(path: Path) -> HistorySource:
    """The histories at `path`: a log of 2017, a folder of them, or a history table.

    Raises `UserError` where it is none of these.
    """
    if path.is_dir():
        return _read_logs(path)
    if is_log_name(path.name):
        return _source_of_logs(path, [path])
    loaded = load_table(path)
    notes = []
    if loaded.ignored:
        columns = ", ".join(f"`{c[:40]}`" for c in loaded.ignored[:6])
        notes.append(f"{path}: passed over the columns {columns}, which no history table has")
    return HistorySource(path, loaded.table, loaded.given_runs, notes=tuple(notes))


def _read_logs(folder: Path) -> HistorySource:
    files: list[Path] = []

    def raise_user_error(error: OSError) -> None:
        raise UserError(f"{error.filename}: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=raise_user_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if layout.SPEC in names:
            raise UserError(f"{folder}: holds runs; read them where they are with --runs")
        files += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    if not files:
        raise UserError(f"{folder}: is empty; a log of 2017 is called model-1-256-256-history.txt")
    if not any(is_log_name(file.name) for file in files):
        raise UserError(
            f"{folder}: none of its {len(files):,} files is a log of 2017, which is called "
            "model-1-256-256-history.txt or the like"
        )
    return _source_of_logs(folder, files)


def _source_of_logs(path: Path, files: Iterable[Path]) -> HistorySource:
    logs: list[Log] = []
    skipped: list[SkippedHistory] = []
    for file in files:
        try:
            logs.append(read_log(file))
        except UnreadableLogError as error:
            skipped.append(SkippedHistory(_printable(file), str(error)))
    repeated = [_printable(log.path) for log in logs if log.name.more]
    notes = []
    if repeated:
        shown = ", ".join(repeated[:3]) + (" …" if len(repeated) > 3 else "")
        notes.append(f"{path}: {len(repeated)} are repeated runs by their names: {shown}")
    frames = [_frame(number, log) for number, log in enumerate(logs)]
    table = normalise(pl.concat(frames, how="diagonal") if frames else pl.DataFrame(schema=SCHEMA))
    return HistorySource(
        path, fill_identity(with_base_rates(table)), skipped=tuple(skipped), notes=tuple(notes)
    )


def is_log_name(name: str) -> bool:
    """Whether a file may be meant as a log."""
    return name.lower().endswith(".txt") and "history" in name


def _printable(path: Path) -> str:
    """The path as text, whatever bytes its name has."""
    return os.fsencode(path).decode(errors="replace")


def _frame(number: int, log: Log) -> pl.DataFrame:
    """The rows of a log; its number keeps it apart from others of the same setting."""
    name = log.name
    last = pl.int_range(pl.len()) == log.epochs - 1
    return pl.DataFrame(
        {"epoch": range(1, log.epochs + 1), **log.metrics}, strict=False
    ).with_columns(
        pl.lit(name.regularizer).alias("Regularizer"),
        pl.lit(name.fc1).alias("FC1"),
        pl.lit(name.fc2).alias("FC2"),
        pl.lit(name.genre).alias("genre"),
        pl.lit(name.family).alias("variant"),
        pl.lit(str(number)).alias("run"),
        *(pl.when(last).then(pl.lit(n, pl.Int64)).alias(c) for c, n in log.counts.items()),
    )
