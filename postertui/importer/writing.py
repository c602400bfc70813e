"""Writing new runs, each whole or not at all."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

import msgspec

from postertui.runs import layout
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec
from postertui.system.atomic_files import sync, write_atomic
from postertui.system.locks import hold_folder
from postertui.system.sharing import adopt_mode, is_shared

_STAGING = ".importing-"


class StagedRuns:
    """New runs, each whole or not at all.

    They are written to a folder beside the runs, which readers ignore, and come into place by
    `publish`, after all of them were synced together: whatever ends the program, a run has all of
    its history. Used as a context, which removes what was not published.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._staging: Path | None = None
        self._held: int | None = None
        self._is_shared = False
        self.names: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def add(self, run: str, spec: RunSpec, events: bytes) -> None:
        """Write one run. Raises `OSError`."""
        if self._staging is None:
            self._staging = self._make_staging()
        # Text and few calls: with tens of thousands of runs these are most of an import's time.
        folder = f"{self._staging}/{run}"
        os.mkdir(folder, 0o700)  # noqa: PTH102
        document = msgspec.json.format(msgspec.json.encode(spec)) + b"\n"
        files = {f"{folder}/{layout.SPEC}": document, f"{folder}/{layout.EVENTS}": events}
        for path, data in files.items():
            _write_file(path, data)
        if self._is_shared:
            for path in (folder, *files):
                adopt_mode(Path(path))
        self.names[run] = None

    def publish(self) -> list[str]:
        """Move the runs into place; the names of those that no concurrent import has added.

        Raises `OSError`.
        """
        if self._staging is None:
            return []
        _sync_file_system(self._staging)
        added = []
        for run in self.names:
            try:
                os.rename(f"{self._staging}/{run}", f"{self._runs}/{run}")  # noqa: PTH104
            except OSError:
                if (self._runs / run).exists():
                    continue
                raise
            added.append(run)
        sync(self._runs)
        return added

    def __exit__(self, *_: object) -> None:
        if self._staging is not None:
            shutil.rmtree(self._staging, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)

    def _make_staging(self) -> Path:
        """The folder of this import; those of killed ones are removed."""
        self._runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        for stale in self._runs.glob(f"{_STAGING}*"):
            if (fd := hold_folder(stale)) is not None:
                shutil.rmtree(stale, ignore_errors=True)
                os.close(fd)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self._runs))
        self._held = hold_folder(staging)
        adopt_mode(staging)
        self._is_shared = is_shared(staging)
        return staging


def complete_run(folder: Path, events: bytes) -> bool:
    """Replace an imported run's events; False where another process holds its lock."""
    with RunLock(folder) as lock:
        if not lock.acquire():
            return False
        write_atomic(folder / layout.EVENTS, events, durable=True)
    return True


def _write_file(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
    finally:
        os.close(fd)


def _sync_file_system(folder: Path) -> None:
    """Sync everything below `folder`; one call for thousands of files."""
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs is None or syncfs(fd) != 0:
            os.sync()
    finally:
        os.close(fd)
