"""Reading what is to be imported: histories of any program, and history tables."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postertui.history.identity import fill_identity
from postertui.history.metric_names import split_side
from postertui.history.reading import LoadedTable, load_any_table
from postertui.history.schema import REQUIRED, SCHEMA, normalise, with_base_rates
from postertui.importer.foreign import ForeignHistory, printable, to_frames
from postertui.importer.keras_history import read_keras_history
from postertui.importer.mapping import HistoryMapping
from postertui.importer.metrics_table import read_metrics_table
from postertui.importer.tensorboard import is_event_file, read_event_files
from postertui.published.unreadable import UnreadableLogError
from postertui.runs import layout
from postertui.system.errors import UserError
from postertui.tabular.decoding import PACKED_SUFFIXES
from postertui.tabular.dialect import describe_names


@dataclass(frozen=True)
class SkippedHistory:
    """A file or history that was not imported, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class HistorySource:
    """The histories that were read from one path, one run each.

    Parameters
    ----------
    table
        With all columns of `SCHEMA`.
    named
        The runs that the table itself names.
    """

    path: Path
    table: pl.DataFrame
    named: frozenset[str] = frozenset()
    skipped: tuple[SkippedHistory, ...] = ()
    notes: tuple[str, ...] = ()


#: Files of a folder that may hold histories.
_HISTORY_SUFFIXES = (".txt", ".log", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


def read_source(path: Path, mapping: HistoryMapping, encoding: str | None = None) -> HistorySource:
    """The histories at a path.

    Parameters
    ----------
    path
        A history's file, a folder of them, or a history table.
    encoding
        Of text files; without it UTF-8, or UTF-16 or UTF-32 where the first bytes say so.

    Raises
    ------
    UserError
        Where it is none of these.
    """
    if path.is_dir():
        return _read_folder(path, mapping, encoding)
    if is_event_file(path.name):
        return _read_files(path, [path], mapping, encoding)
    if is_keras_history(path):
        return _read_files(path, [path], mapping, encoding)
    table = load_any_table(path, encoding)
    if isinstance(table, LoadedTable):
        notes = [*table.notes]
        if table.ignored:
            notes.append(
                f"{path}: passed over the columns {describe_names(table.ignored, 6)}, which hold "
                "no metric"
            )
        return HistorySource(path, table.table, table.given_runs, notes=tuple(notes))
    try:
        histories = read_metrics_table(table, mapping.of(path))
        return _combine(path, histories, mapping, notes=list(table.notes))
    except UnreadableLogError as error:
        required = describe_names(REQUIRED)
        raise UserError(
            f"{path}: neither a history table, which has the columns {required}, nor metrics by "
            f"epoch: {error}"
        ) from None


def _read_folder(folder: Path, mapping: HistoryMapping, encoding: str | None) -> HistorySource:
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
    if not any(_may_be_history(file.name) for file in files):
        raise UserError(
            f"{folder}: none of its {len(files):,} files holds a history: a printed or JSON one, a "
            "table of metrics by epoch, or an event file of TensorBoard"
        )
    return _read_files(folder, files, mapping, encoding)


def _read_files(
    path: Path, files: Sequence[Path], mapping: HistoryMapping, encoding: str | None
) -> HistorySource:
    """The histories of several files; those that cannot be read are skipped and named."""
    histories: list[ForeignHistory] = []
    tables: list[LoadedTable] = []
    skipped: list[SkippedHistory] = []
    notes: list[str] = []
    events = [file for file in files if is_event_file(file.name)]
    for file in files:
        try:
            if file in events:
                continue
            if not _may_be_history(file.name):
                raise UnreadableLogError("its name fits none of the rules for histories")
            if is_keras_history(file):
                histories.append(read_keras_history(file))
                continue
            table = load_any_table(file, encoding)
            notes += table.notes
            if isinstance(table, LoadedTable):
                tables.append(table)
            else:
                histories += read_metrics_table(table, mapping.of(file))
        except UnreadableLogError as error:
            skipped.append(SkippedHistory(printable(file), str(error)))
        except UserError as error:
            reason = str(error).removeprefix(f"{file}: ").removeprefix(f"{file}, ")
            skipped.append(SkippedHistory(printable(file), reason))
    if events:
        try:
            root = path if path.is_dir() else path.parent
            histories += read_event_files(events, root)
        except UnreadableLogError as error:
            skipped.append(SkippedHistory(printable(path), str(error)))
    return _combine(path, histories, mapping, tables=tables, skipped=skipped, notes=notes)


def _combine(
    path: Path,
    histories: Sequence[ForeignHistory],
    mapping: HistoryMapping,
    *,
    tables: Sequence[LoadedTable] = (),
    skipped: Sequence[SkippedHistory] = (),
    notes: Sequence[str] = (),
) -> HistorySource:
    """One table of all histories of a path, and the notes on them."""
    left_out, all_notes = list(skipped), list(notes)
    frames: list[pl.DataFrame] = []
    unused: dict[str, None] = {}
    validated = 0
    for history in histories:
        try:
            parts, names = to_frames(history, mapping.of(history.path))
        except UnreadableLogError as error:
            left_out.append(SkippedHistory(history.what, str(error)))
            continue
        unused |= dict.fromkeys(names)
        validated += history.name is None and any(
            split_side(n)[0] == "val" for n in history.metrics
        )
        for part in parts:
            # The number keeps histories of one setting apart.
            frames.append(part.with_columns(pl.lit(str(len(frames))).alias("run")))
    repeated = [h.what for h in histories if h.name is not None and h.name.more]
    if repeated:
        shown = ", ".join(repeated[:3]) + (" …" if len(repeated) > 3 else "")
        all_notes.append(f"{path}: {len(repeated)} are repeated runs by their names: {shown}")
    if unused:
        all_notes.append(f"{path}: not used: {describe_names(list(unused), 8)}")
    if validated and not mapping.validation:
        all_notes.append(
            f"{path}: metrics called val_… are taken for the test cohort's; --validation val keeps "
            "them as they are"
        )
    table = pl.concat(frames, how="diagonal") if frames else pl.DataFrame(schema=SCHEMA)
    table = fill_identity(with_base_rates(normalise(table)))
    named: frozenset[str] = frozenset()
    if tables:
        loaded = [with_base_rates(item.table) for item in tables]
        table = normalise(pl.concat([table, *loaded], how="diagonal"))
        named = frozenset().union(*(item.given_runs for item in tables))
    return HistorySource(path, table, named, skipped=tuple(left_out), notes=tuple(all_notes))


def _may_be_history(name: str) -> bool:
    suffixes = Path(name).suffixes[-2:]
    if suffixes and suffixes[-1].lower() in PACKED_SUFFIXES:
        suffixes.pop()
    return is_event_file(name) or (bool(suffixes) and suffixes[-1].lower() in _HISTORY_SUFFIXES)


def is_log_name(name: str) -> bool:
    """Whether a file may be meant as a printed history."""
    return name.lower().endswith(".txt") and "history" in name


def is_keras_history(path: Path) -> bool:
    """Whether a file is meant as a `History`: by its name, or as a dictionary begins it."""
    suffix = path.suffix.lower()
    if suffix == ".json" or is_log_name(path.name):
        return True
    if suffix in PACKED_SUFFIXES or suffix in (".jsonl", ".ndjson"):
        return False
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            start: bytes = file.read(256)
    except OSError:
        return False
    return start.removeprefix(BOM_UTF8).lstrip().startswith((b"{", b"[{"))
