"""What the queue reads from a run's folder, as cheaply as possible."""

from __future__ import annotations

import os
from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError, parse_events
from postertui.runs.lifecycle import RunLifecycle
from postertui.system.regular_files import open_regular, read_regular

#: Inode and size of a run's events and of its spec.
RunStamp = tuple[int, int, int, int]

#: How many bytes at the end of a run's events show whether it is closed.
TAIL_BYTES = 8192

#: Priorities lie between this and its negative.
MAX_PRIORITY = 1000


def file_stamp(path: Path) -> tuple[int, int]:
    """A file's inode and size, one of which changes with its content; zeros for no file."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_ino, stat.st_size


def run_stamp(run_folder: Path) -> RunStamp:
    """What changes when the run's events or its spec do."""
    return (*file_stamp(run_folder / layout.EVENTS), *file_stamp(run_folder / layout.SPEC))


def read_priority(run_folder: Path) -> int:
    """The priority that the run was given, 0 where it was given none."""
    try:
        priority = int(read_regular(run_folder / layout.PRIORITY, 100))
    except (OSError, ValueError):
        return 0
    return max(-MAX_PRIORITY, min(priority, MAX_PRIORITY))


def is_paused(run_folder: Path) -> bool:
    """Whether the run was asked to wait."""
    return (run_folder / layout.PAUSED).exists()


def ends_closed(events: Path) -> bool:
    """Whether the last whole line closes the run, without reading the whole file."""
    try:
        fd = open_regular(events, os.O_RDONLY)
    except FileNotFoundError:
        return False
    with os.fdopen(fd, "rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - TAIL_BYTES))
        tail = file.read()
    lines = tail[: tail.rfind(b"\n") + 1].splitlines(keepends=True)
    if not lines:
        return False
    try:
        newest, _ = parse_events(lines[-1])
    except DamagedEventsError:
        return False
    return RunLifecycle.of(newest).is_closed
