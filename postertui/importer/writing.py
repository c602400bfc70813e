"""Writing new runs, each whole or not at all."""

from __future__ import annotations

import ctypes
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from postertui.runs import layout
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec
from postertui.system.atomic_files import sync, write_atomic
from postertui.system.held_folders import make_held_folder, remove_abandoned_folders
from postertui.system.sharing import adopt_mode, is_shared

_STAGING = ".importing-"

#: Bytes after which a thread begins to bring them to the disk; else the end would wait for all.
_SYNC_BYTES = 64 << 20


class StagedRuns:
    """New runs, each whole or not at all.

    They are written to a folder below the runs folder, which readers ignore, or beside it where it
    is yet to be made, and come into place by `publish`, after all of them were synced together:
    whatever ends the program, a run has all of its history. Used as a context, which removes what
    was not published, and what killed imports left.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._staging: _Staging | None = None
        self._unsynced = 0
        self._syncs = ThreadPoolExecutor(1, "sync")
        self._sync: Future[None] | None = None
        self.names: dict[str, None] = {}

    def __enter__(self) -> Self:
        remove_abandoned_folders(self._runs, _STAGING)
        remove_abandoned_folders(self._runs.parent, _staging_beside(self._runs))
        return self

    def add(self, run: str, spec: RunSpec, events: bytes) -> None:
        """Write one run. Raises `OSError`."""
        if self._staging is None:
            self._staging = _Staging(self._runs)
        document = msgspec.json.format(msgspec.json.encode(spec)) + b"\n"
        self._staging.write(run, {layout.SPEC: document, layout.EVENTS: events})
        self.names[run] = None
        self._unsynced += len(events)
        if self._unsynced >= _SYNC_BYTES and (self._sync is None or self._sync.done()):
            self._sync = self._syncs.submit(_sync_file_system, self._staging.fd)
            self._unsynced = 0

    def publish(self) -> list[str]:
        """Move the runs into place; the names of those that no concurrent import has added.

        Raises `OSError`.
        """
        if self._staging is None:
            return []
        staging = self._staging.fd
        _sync_file_system(staging)
        if self._staging.become_runs_folder():
            return list(self.names)
        added = []
        runs = os.open(self._runs, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for run in self.names:
                try:
                    os.rename(run, run, src_dir_fd=staging, dst_dir_fd=runs)
                except OSError:
                    if (self._runs / run).exists():
                        continue
                    raise
                added.append(run)
            os.fsync(runs)
        finally:
            os.close(runs)
        return added

    def __exit__(self, *_: object) -> None:
        self._syncs.shutdown()
        if self._staging is not None:
            self._staging.remove()


def _staging_beside(runs: Path) -> str:
    """How the folders begin in which a new runs folder is written."""
    # Shortened, for a name may be as long as the file system has it.
    return f".{runs.name[:50]}{_STAGING}"


class _Staging:
    """The folder of one import, below the runs folder or, where that is yet to be made, beside it.

    Raises `OSError` where it cannot be made.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._is_beside = not os.path.lexists(runs)
        self._made_parents: list[Path] = []
        if self._is_beside:
            parents = (runs.parent, *runs.parent.parents)
            self._made_parents = [path for path in parents if not path.exists()]
            runs.parent.mkdir(parents=True, exist_ok=True)
            self._path, self.fd = make_held_folder(runs.parent, _staging_beside(runs))
        else:
            self._path, self.fd = make_held_folder(runs, _STAGING)
            adopt_mode(self._path)
        self._is_shared = is_shared(self._path)

    def become_runs_folder(self) -> bool:
        """Make this the runs folder, all runs in one step; False where there is one by now."""
        if not self._is_beside or os.path.lexists(self._runs):
            return False
        try:
            self._path.rename(self._runs)
        except OSError:
            if os.path.lexists(self._runs):
                return False
            raise
        sync(self._runs.parent)
        return True

    def write(self, run: str, contents: dict[str, bytes]) -> None:
        """Write the run's folder. Raises `OSError`."""
        # Few calls, by short paths: half of the time of an import is spent in them.
        os.mkdir(run, 0o700, dir_fd=self.fd)
        for name, data in contents.items():
            _write_file(f"{run}/{name}", data, self.fd)
        if self._is_shared:
            for path in (run, *(f"{run}/{name}" for name in contents)):
                adopt_mode(self._path / path)

    def remove(self) -> None:
        """Remove what was not published, and the folders above it that were made for it alone."""
        shutil.rmtree(self._path, ignore_errors=True)
        os.close(self.fd)
        with suppress(OSError):
            for parent in self._made_parents:
                parent.rmdir()


def complete_run(folder: Path, events: bytes) -> bool:
    """Replace an imported run's events; False where another process holds its lock."""
    with RunLock(folder) as lock:
        if not lock.acquire():
            return False
        write_atomic(folder / layout.EVENTS, events, durable=True)
    return True


def _write_file(path: str, data: bytes, folder: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600, dir_fd=folder)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
    finally:
        os.close(fd)


def _sync_file_system(folder: int) -> None:
    """Sync everything below `folder`; one call for thousands of files."""
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    if syncfs is None or syncfs(folder) != 0:
        os.sync()
