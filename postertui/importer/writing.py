"""Writing new runs, each whole or not at all."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.lock import RunLock
from postertui.runs.spec import RunSpec
from postertui.system.atomic_files import sync, write_atomic
from postertui.system.locks import hold_folder
from postertui.system.sharing import adopt_mode, make_folder

_STAGING = ".importing-"

Draft = tuple[str, RunSpec, bytes]


def write_runs(runs: Path, drafts: Sequence[Draft]) -> list[str]:
    """Write new runs, each whole or not at all; their names.

    They are written to a staging folder, synced together, and only then moved into place:
    whatever ends the program, a run has all of its history.
    """
    if not drafts:
        return []
    with _staging(runs) as staging:
        for run, spec, events in drafts:
            folder = staging / run
            make_folder(folder)
            _write_file(
                folder / layout.SPEC, msgspec.json.format(msgspec.json.encode(spec)) + b"\n"
            )
            _write_file(folder / layout.EVENTS, events)
            adopt_mode(folder / layout.SPEC)
            adopt_mode(folder / layout.EVENTS)
        _sync_file_system(staging)
        added = []
        for run, _, _ in drafts:
            try:
                (staging / run).rename(runs / run)
            except OSError:
                if (runs / run).exists():
                    continue  # a concurrent import added it
                raise
            added.append(run)
        sync(runs)
    return added


def complete_run(folder: Path, events: bytes) -> bool:
    """Replace an imported run's events; False where another process holds its lock."""
    with RunLock(folder) as lock:
        if not lock.acquire():
            return False
        write_atomic(folder / layout.EVENTS, events, durable=True)
    return True


@contextmanager
def _staging(runs: Path) -> Iterator[Path]:
    """A staging folder within `runs`, which readers ignore; those of killed imports are removed."""
    runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    for stale in runs.glob(f"{_STAGING}*"):
        if (fd := hold_folder(stale)) is not None:
            shutil.rmtree(stale, ignore_errors=True)
            os.close(fd)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=runs))
    staging_lock = hold_folder(staging)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if staging_lock is not None:
            os.close(staging_lock)


def _write_file(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def _sync_file_system(folder: Path) -> None:
    """Sync everything below `folder`; one call for thousands of files."""
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs is None or syncfs(fd) != 0:
            os.sync()
    finally:
        os.close(fd)
