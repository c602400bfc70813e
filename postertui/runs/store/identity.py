"""What tells that a run's files are still those that were read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import NamedTuple

from postertui.runs import layout
from postertui.system.regular_files import check_regular

#: Inode, size and time of change in nanoseconds.
FileIdentity = tuple[int, int, int]

NO_FILE: FileIdentity = (0, 0, 0)


class Identity(NamedTuple):
    """The content of a run's two files, as far as the file system tells."""

    events: FileIdentity
    spec: FileIdentity


#: That of a run whose files cannot be looked at; no run's files are ever these.
UNREADABLE = Identity((-1, -1, -1), (-1, -1, -1))


@dataclass(slots=True)
class Reading:
    """How far a run's files were read: `size` bytes and `lines` of its events.

    `identity` is that of the files when they were read last.
    """

    identity: Identity
    size: int = 0
    lines: int = 0


def events_identity(run_folder: str) -> FileIdentity:
    """Changes with each event that is appended. Raises `OSError` where it is no regular file."""
    return file_identity(f"{run_folder}/{layout.EVENTS}")


def spec_identity(run_folder: str) -> FileIdentity:
    """Changes when `run.json` is replaced. Raises `OSError` where it is no regular file."""
    return file_identity(f"{run_folder}/{layout.SPEC}")


def run_identity(run_folder: str) -> Identity:
    """Changes with either file. Raises `OSError` where one is no regular file."""
    return Identity(events_identity(run_folder), spec_identity(run_folder))


def file_identity(path: str) -> FileIdentity:
    """Changes when the file at `path` does. Raises `OSError` where it is no regular file."""
    try:
        status = os.lstat(path)
    except OSError:
        return NO_FILE
    if not stat.S_ISREG(status.st_mode):
        check_regular(status, path)
    return status.st_ino, status.st_size, status.st_mtime_ns
