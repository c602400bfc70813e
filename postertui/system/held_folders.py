"""Folders that are held while their maker lives, so that a later process may remove the others."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

#: How often a folder is made that another process may remove before it is held.
_TRIES = 3


def hold_folder(folder: Path) -> int | None:
    """Lock a folder for as long as this process lives.

    Returns
    -------
    int or None
        The folder's descriptor; None where another process has it.
    """
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def make_held_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder, held by this process, and its descriptor.

    Raises
    ------
    OSError
        Where it cannot be made.
    """
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # Until it is held, another process may take it for one whose maker is gone, and remove it.
        if (fd := hold_folder(path)) is not None:
            if path.exists():
                return path, fd
            os.close(fd)
        with suppress(OSError):
            path.rmdir()
    # There are no locks on this file system.
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    return path, os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def remove_abandoned_folders(parent: Path, prefix: str) -> None:
    """Remove the folders in `parent` whose names begin with `prefix` and whose makers are gone."""
    for folder in parent.glob(f"{glob.escape(prefix)}*"):
        if (fd := hold_folder(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(fd)
