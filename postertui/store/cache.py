"""What is remembered of closed runs, so that starting does not mean reading everything again.

runs/.cache/index          the closed runs without their epochs, MessagePack
runs/.cache/epochs-<id>    their epochs, float64 rows of `COLUMNS`, one after the other
runs/.cache/lock           flock held while either is written

All of it can be deleted at any time. An entry counts only while the run's files are the ones it
was made from. Rows are only ever added to an epochs file, or written to a new one, so that who has
mapped one may go on reading.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from postertui.events import Event
from postertui.runs import FileLock, RunSpec
from postertui.store.columns import COLUMNS, EpochBuffer, Rows
from postertui.store.run import Run

FOLDER = ".cache"

#: Changes when entries or columns do.
VERSION = "1 " + " ".join(COLUMNS)

_EPOCHS = re.compile(r"epochs-[0-9a-f]{16}")

_ROW_BYTES = 8 * len(COLUMNS)


class Identity(NamedTuple):
    """The content of a run's two files, as far as the file system tells."""

    events: tuple[int, int, int]
    spec: tuple[int, int, int]


class Entry(msgspec.Struct, array_like=True, gc=False):
    """A closed run. Its epochs are `rows` rows from `first` on; `lines` were read."""

    name: str
    identity: Identity
    lines: int
    spec: RunSpec
    start: Event | None
    end: Event | None
    attempt: int
    milestone: str | None
    changed: float
    first: int
    rows: int

    def run(self, all_rows: Rows) -> Run:
        rows = all_rows[self.first : self.first + self.rows]
        return Run(
            name=self.name,
            spec=self.spec,
            start=self.start,
            end=self.end,
            attempt=self.attempt,
            newest_milestone=self.milestone,
            changed=self.changed,
            buffer=EpochBuffer(rows),
        )


class _Index(msgspec.Struct):
    version: str
    epochs: str
    total: int
    entries: list[Entry]


class Cache:
    """The remembered runs of one runs folder. Reading and writing it never fail, only miss."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._index = _Index(VERSION, "", 0, [])
        self.rows: Rows = np.empty((0, len(COLUMNS)))

    def load(self) -> dict[str, Entry]:
        """The entries by run."""
        try:
            data = (self._folder / "index").read_bytes()
            index = msgspec.msgpack.decode(data, type=_Index)
            if index.version != VERSION or not _EPOCHS.fullmatch(index.epochs):
                return {}
            self.rows = _map(self._folder / index.epochs, index.total)
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
            return {}
        if any(e.first < 0 or e.rows < 0 or e.first + e.rows > index.total for e in index.entries):
            return {}
        self._index = index
        return {entry.name: entry for entry in index.entries}

    def save(self, runs: Iterable[tuple[Run, Identity, int]]) -> None:
        """Remember these closed runs: each with its identity and the lines read."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with FileLock(self._folder / "lock") as lock:
                if lock.acquire(patience=0):
                    self._save(list(runs))

    def _save(self, runs: list[tuple[Run, Identity, int]]) -> None:
        known = {entry.name: entry for entry in self._index.entries}
        kept: list[Entry] = []
        fresh: list[tuple[Run, Identity, int]] = []
        for run, identity, lines in runs:
            entry = known.get(run.name)
            if entry is not None and entry.identity == identity:
                kept.append(entry)
            elif run.spec is not None:
                fresh.append((run, identity, lines))
        held = sum(entry.rows for entry in kept)
        path = self._folder / self._index.epochs
        # Somebody else may have replaced the index, or most rows may be of runs that changed.
        if not self._is_current() or 2 * held < self._index.total:
            fresh, kept = [r for r in runs if r[0].spec is not None], []
            path = self._folder / f"epochs-{secrets.token_hex(8)}"
            total = 0
        else:
            total = self._index.total
        entries = list(kept)
        try:
            total = _append(path, total, fresh, entries)
            index = _Index(VERSION, path.name, total, entries)
            draft = self._folder / "index.new"
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.msgpack.encode(index))
            draft.replace(self._folder / "index")
        except OSError:
            if path.name != self._index.epochs:
                path.unlink(missing_ok=True)
            raise
        self._index = index
        for old in self._folder.glob("epochs-*"):
            if old.name != path.name:
                old.unlink(missing_ok=True)

    def _is_current(self) -> bool:
        """Whether the index on disk is the one that was loaded."""
        try:
            data = (self._folder / "index").read_bytes()
            there = msgspec.msgpack.decode(data, type=_Index)
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
            return False
        mine = self._index
        return (there.version, there.epochs, there.total) == (VERSION, mine.epochs, mine.total)


def _append(
    path: Path, total: int, fresh: list[tuple[Run, Identity, int]], entries: list[Entry]
) -> int:
    """Write the runs' rows after the first `total` ones of `path`, and their entries."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "r+b") as file:
        file.seek(total * _ROW_BYTES)
        for run, identity, lines in fresh:
            assert run.spec is not None
            rows = run.buffer.rows()
            file.write(np.ascontiguousarray(rows).data)
            entries.append(
                Entry(
                    run.name,
                    identity,
                    lines,
                    run.spec,
                    run.start,
                    run.end,
                    run.attempt,
                    run.newest_milestone,
                    run.changed,
                    total,
                    len(rows),
                )
            )
            total += len(rows)
        file.flush()
        # The index must not be on disk before the rows that it speaks of.
        os.fdatasync(file.fileno())
    return total


def _map(path: Path, total: int) -> Rows:
    if not total:
        return np.empty((0, len(COLUMNS)))
    with path.open("rb") as file:
        memory = mmap.mmap(file.fileno(), total * _ROW_BYTES, access=mmap.ACCESS_READ)
    return np.frombuffer(memory, dtype=np.float64).reshape(total, len(COLUMNS))
