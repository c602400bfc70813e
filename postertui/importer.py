"""Histories from elsewhere into runs: logs of 2017 and history tables.

An imported run is a run like any other: `run.json` and `events.jsonl`. What identifies it is all
that its history says, so that importing the same history again adds nothing.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from postertui import __version__
from postertui.errors import UserError
from postertui.events import FORMAT_VERSION, encode_event
from postertui.legacy import Log, UnreadableLogError, read_log
from postertui.naming import variant_from_2017
from postertui.runs import RunSpec, Weights, hold_folder, is_run_name, read_spec
from postertui.store import METRICS, Store
from postertui.table import (
    DEFAULTS,
    SCHEMA,
    SETTING,
    fill_identity,
    load_table,
    normalise,
    with_base_rates,
)

#: What stands in `run.json` for the data that nobody here has.
FINGERPRINT = "imported-"

#: Rows that are turned into events at a time.
_CHUNK = 100_000

_STAGING = ".importing-"

#: The columns that differ from epoch to epoch, in the order of their events.
_PER_EPOCH = [name for name in METRICS if name in SCHEMA]
IntArray = NDArray[np.int64]

_FLOATS = [name for name in _PER_EPOCH if SCHEMA[name] is pl.Float64]


@dataclass(frozen=True)
class Skipped:
    """Something that was not imported, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Source:
    """What was read from one PATH: histories, one run each, still in no folder.

    `table` has all columns of `SCHEMA`; `named` are the runs whose name is the table's own.
    """

    path: Path
    table: pl.DataFrame
    named: frozenset[str] = frozenset()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class ImportReport:
    """What an import did: runs added, histories that were there already, what was left out."""

    added: list[str] = field(default_factory=list)
    there: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_paths(paths: Sequence[Path], runs: Path, now: float | None = None) -> ImportReport:
    """Bring the histories in `paths` into the runs folder.

    Everything is read before anything is written. Raises `UserError` where a path is no table and
    no folder of logs, or the runs folder cannot be written; a log that cannot be used is skipped.
    """
    report = ImportReport()
    sources = [read_source(path) for path in paths]
    for source in sources:
        report.skipped += source.skipped
        report.notes += source.notes
    try:
        for source in sources:
            _import(source, runs, time.time() if now is None else now, report)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"{error.filename or runs}: cannot be written: {reason}", exit_code=1
        ) from None
    return report


def read_source(path: Path) -> Source:
    """The histories at `path`: a log of 2017, a folder of them, or a history table.

    Raises `UserError` where it is none of these.
    """
    if path.is_dir():
        return _read_logs(path)
    if path.suffix.lower() == ".txt" and "history" in path.name:
        return _source_of_logs(path, [path])
    loaded = load_table(path)
    notes = []
    if loaded.ignored:
        columns = ", ".join(f"`{c[:40]}`" for c in loaded.ignored[:6])
        notes.append(f"{path}: passed over the columns {columns}, which no history table has")
    return Source(path, loaded.table, loaded.given_runs, notes=tuple(notes))


def _read_logs(folder: Path) -> Source:
    files: list[Path] = []

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename}: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "run.json" in names:
            raise UserError(f"{folder}: holds runs; read them where they are with --runs")
        files += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    if not files:
        raise UserError(f"{folder}: is empty; a log of 2017 is called model-1-256-256-history.txt")
    return _source_of_logs(folder, files)


def _source_of_logs(path: Path, files: Iterable[Path]) -> Source:
    logs: list[Log] = []
    skipped: list[Skipped] = []
    for file in files:
        try:
            logs.append(read_log(file))
        except UnreadableLogError as error:
            skipped.append(Skipped(_shown(file), str(error)))
    more = [_shown(log.path) for log in logs if log.name.more]
    notes = []
    if more:
        shown = ", ".join(more[:3]) + (" …" if len(more) > 3 else "")
        notes.append(f"{path}: {len(more)} taken for repeated runs by their names: {shown}")
    frames = [_frame(number, log) for number, log in enumerate(logs)]
    table = normalise(pl.concat(frames, how="diagonal") if frames else pl.DataFrame(schema=SCHEMA))
    return Source(
        path, fill_identity(with_base_rates(table)), skipped=tuple(skipped), notes=tuple(notes)
    )


def _shown(path: Path) -> str:
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


def _import(source: Source, runs: Path, now: float, report: ImportReport) -> None:
    table = with_base_rates(source.table).sort("run", "epoch", maintain_order=True)
    seen: dict[str, int] = {}
    there = _Existing(runs)
    for chunk in _chunks(table):
        drafts = []
        for history in _histories(chunk, source.named, now):
            copies = seen[history.digest] = seen.get(history.digest, 0) + 1
            spec, name = history.spec(copies), history.name
            run = name or spec.run
            if run not in there:
                drafts.append((run, spec, history.events))
            elif there.is_other(run, spec, history):
                reason = "there is another run of that name, with other numbers"
                report.skipped.append(Skipped(f"{source.path}: {run}", reason))
            else:
                report.there += 1
        report.added += _write(runs, drafts)


@dataclass(frozen=True)
class _History:
    """One history: its first row, its events and the digest of its numbers.

    `name` is the run's name, where the table gives one.
    """

    row: dict[str, object]
    name: str | None
    epochs: int
    digest: str
    events: bytes
    now: float

    def spec(self, copies: int) -> RunSpec:
        """What `run.json` says; of equal histories in one table, each has its number in it."""
        row = self.row
        label = str(row["Regularizer"])
        variant = variant_from_2017(
            str(row["variant"]),
            label,
            int(row["FC1"]),  # type: ignore[call-overload]
            int(row["FC2"]),  # type: ignore[call-overload]
            epochs=self.epochs,
            name=str(row["name"]),
            batch_size=row["batch_size"],  # type: ignore[arg-type]
        )
        again = f"-{copies}" if copies > 1 else ""
        return RunSpec(
            variant=variant,
            genre=str(row["genre"]),
            seed=row["seed"] or DEFAULTS["seed"],  # type: ignore[arg-type]
            study=str(row["study"] or DEFAULTS["study"]),
            data="",
            data_fingerprint=f"{FINGERPRINT}{self.digest}{again}",
            weights=Weights("imagenet", "imported"),
            train_base_rate=row["train_base_rate"],  # type: ignore[arg-type]
            test_base_rate=row["test_base_rate"],  # type: ignore[arg-type]
            mode="published" if row["test_fscore_soft"] is None else "sound",
            created=self.now,
            versions={"postertui": __version__},
            label=label if label != variant.regularizer_label else None,
        )


class _Existing:
    """The runs that are in the folder already."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store: Store | None = None

    def __contains__(self, run: str) -> bool:
        return (self._folder / run).exists()

    def is_other(self, run: str, spec: RunSpec, history: _History) -> bool:
        """Whether the run of that name has another history."""
        try:
            if read_spec(self._folder / run).data_fingerprint == spec.data_fingerprint:
                return False
        except UserError:
            return True
        if self._store is None:
            self._store = Store(self._folder)
            self._store.refresh()
        table = self._store.table(lambda r: r.name == run)
        return [h.digest for h in _histories(table, frozenset(), 0)] != [history.digest]


def _chunks(table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The table in pieces of whole runs, its runs being one after the other."""
    start = 0
    for end in _ends(table):
        if end - start >= _CHUNK or end == len(table):
            yield table[start:end]
            start = end


def _ends(table: pl.DataFrame) -> list[int]:
    """Behind which rows another run begins, and the end."""
    changes = np.flatnonzero(table["run"].rle_id().diff().fill_null(0).to_numpy()).tolist()
    return [*changes, len(table)] if len(table) else []


def _histories(table: pl.DataFrame, named: frozenset[str], now: float) -> Iterator[_History]:
    """The histories of a table whose runs are one after the other."""
    ends = _ends(table)
    first = [0, *ends[:-1]]
    if not ends:
        return
    numbers = table.select(pl.col(_PER_EPOCH).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    epochs = table["epoch"].to_numpy()
    attempts = table["attempt"].fill_null(DEFAULTS["attempt"]).to_numpy()
    lines = _event_lines(table, now)
    rows = table[first].to_dicts()
    for row, start, end in zip(rows, first, ends, strict=True):
        setting = [row[c] for c in (*SETTING, "name", "seed")]
        run = row["run"]
        yield _History(
            row=row,
            name=run if run in named and is_run_name(run) else None,
            epochs=int(epochs[end - 1]),
            digest=_digest(setting, epochs[start:end], numbers[start:end]),
            events=_with_milestones(lines[start:end], epochs[start:end], attempts[start:end], now),
            now=now,
        )


def _digest(setting: list[object], epochs: IntArray, numbers: NDArray[np.float64]) -> str:
    """A digest of all that a history says; a column without any number says nothing."""
    known = np.flatnonzero(~np.isnan(numbers).all(axis=0))
    head = [*setting[:-1], setting[-1] or 0, [_PER_EPOCH[i] for i in known]]
    digest = hashlib.sha256(msgspec.json.encode(head))
    digest.update(np.ascontiguousarray(epochs, dtype="<i8").data)
    digest.update(np.ascontiguousarray(numbers[:, known], dtype="<f8").data)
    return digest.hexdigest()[:24]


def _event_lines(table: pl.DataFrame, now: float) -> list[bytes]:
    """One `epoch` event a row, as `encode_event` writes it."""
    known = [c for c in _PER_EPOCH if table[c].null_count() < len(table)]
    undefined = [
        pl.when(pl.col(c).is_null()).then(pl.lit(c))
        for c in known
        if c in _FLOATS and table[c].null_count()
    ]
    attempt = pl.col("attempt").fill_null(DEFAULTS["attempt"])
    begins = (attempt != attempt.shift()).fill_null(value=True).over("run")
    events = table.select(
        pl.lit(FORMAT_VERSION).alias("v"),
        (pl.int_range(pl.len()) + begins.cum_sum()).over("run").alias("seq"),
        attempt.alias("attempt"),
        pl.lit(now).alias("time"),
        pl.lit("epoch").alias("event"),
        "epoch",
        *known,
        *([pl.concat_list(undefined).list.drop_nulls().alias("nonfinite")] if undefined else []),
    )
    return events.write_ndjson().encode().splitlines(keepends=True)


def _with_milestones(lines: list[bytes], epochs: IntArray, attempts: IntArray, now: float) -> bytes:
    """A run's events: its epochs, with the start of each attempt before them and the end after."""
    parts: list[bytes] = []
    begins = [0, *(np.flatnonzero(np.diff(attempts)) + 1).tolist()]
    for place, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        fields = {"from_epoch": int(epochs[place]), "device": "imported"}
        parts.append(encode_event(len(parts), int(attempts[place]), "start", fields, now))
        parts += lines[place:end]
    parts.append(encode_event(len(parts), int(attempts[-1]), "end", {"status": "done"}, now))
    return b"".join(parts)


Draft = tuple[str, RunSpec, bytes]


def _write(runs: Path, drafts: Sequence[Draft]) -> list[str]:
    """Write new runs, each whole or not at all; their names.

    They are filled in a folder of their own, brought to the disk together, and only then moved
    into place: whatever ends the program, a run that is there has all of its history.
    """
    if not drafts:
        return []
    with _staging(runs) as staging:
        for run, spec, events in drafts:
            folder = staging / run
            folder.mkdir(mode=0o700)
            _write_file(
                f"{folder}/run.json", msgspec.json.format(msgspec.json.encode(spec)) + b"\n"
            )
            _write_file(f"{folder}/events.jsonl", events)
        _sync_file_system(staging)
        added = []
        for run, _, _ in drafts:
            try:
                (staging / run).rename(runs / run)
            except OSError:
                if (runs / run).exists():
                    continue  # another import was faster
                raise
            added.append(run)
        _sync_folder(runs)
    return added


@contextmanager
def _staging(runs: Path) -> Iterator[Path]:
    """A folder within `runs` that readers pass over; those of killed imports are removed."""
    runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    for stale in runs.glob(f"{_STAGING}*"):
        if (fd := hold_folder(stale)) is not None:
            shutil.rmtree(stale, ignore_errors=True)
            os.close(fd)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=runs))
    held = hold_folder(staging)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if held is not None:
            os.close(held)


def _write_file(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def _sync_file_system(folder: Path) -> None:
    """Bring everything below `folder` to the disk; one call for thousands of files."""
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs is None or syncfs(fd) != 0:
            os.sync()
    finally:
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
