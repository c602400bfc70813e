"""Locks that end with their process: flocks, never inherited by a forked child."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from postertui.system.os_errors import is_passing
from postertui.system.regular_files import open_regular

#: How long to try for a lock that a reader's probe may hold for some microseconds.
LOCK_PATIENCE = 0.1


class FileLock:
    """A flock, held until `release` or the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self, patience: float = LOCK_PATIENCE) -> bool:
        """Take the lock, waiting up to `patience` seconds; False where another process keeps it.

        Raises `OSError` where the file cannot be opened, or its file system has no locks.
        """
        deadline = time.monotonic() + patience
        while True:
            fd = open_regular(self._path, os.O_RDWR | os.O_CREAT)
            try:
                is_locked = _lock_until(fd, self._path, deadline)
                # A file that was replaced between opening and locking it excludes nobody.
                if is_locked and _is_file_at(fd, self._path):
                    break
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
            if not is_locked:
                return False
        self._fd = fd
        _held.add(fd)
        return True

    def is_displaced(self) -> bool:
        """Whether the lock is held, but its file was moved or removed.

        Another process can then take a lock at the same path. A file system that does not answer
        says nothing of that.
        """
        return self._fd is not None and not _is_file_at(self._fd, self._path, if_unknown=True)

    def release(self) -> None:
        """Give the lock up, if it is held; no other thread may be in `is_displaced`."""
        if self._fd is not None:
            _held.discard(self._fd)
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def _lock_until(fd: int, path: Path, deadline: float) -> bool:
    """Take the flock of an open file; False where another process still has it at `deadline`."""
    while True:
        if _try_lock(fd, fcntl.LOCK_EX, path):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)


def _try_lock(fd: int, kind: int, path: Path) -> bool:
    """Take the flock of the open file at `path` unless another process is in the way."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    return True


def _is_file_at(fd: int, path: Path, *, if_unknown: bool = False) -> bool:
    try:
        at_path = path.stat(follow_symlinks=False)
    except OSError as error:
        return if_unknown and is_passing(error)
    return os.path.samestat(os.fstat(fd), at_path)


_held: set[int] = set()


def _close_held() -> None:
    """A forked helper would keep a dead job's lock and so make the job look alive."""
    for fd in _held:
        os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_close_held)


def is_held(lock: Path) -> bool:
    """Whether some process holds the flock on `lock`; False where there is no such file.

    Raises
    ------
    OSError
        Where there is a file that cannot be opened, or its file system has no locks.
    """
    try:
        fd = open_regular(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(fd, fcntl.LOCK_SH, lock)
    finally:
        os.close(fd)
