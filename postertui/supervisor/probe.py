"""What the queue reads from a run's folder, as cheaply as possible."""

from __future__ import annotations

from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError, parse_events
from postertui.runs.lifecycle import RunLifecycle

#: Reading so many bytes from its end shows whether a run is closed.
TAIL_BYTES = 8192


def file_identity(path: Path) -> tuple[int, int]:
    """A file's inode and size, one of which changes with its content; zeros for no file."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_ino, stat.st_size


def read_priority(run_folder: Path) -> int:
    """The priority that the run was given, 0 where it was given none."""
    try:
        return int((run_folder / layout.PRIORITY).read_text())
    except (OSError, ValueError):
        return 0


def is_paused(run_folder: Path) -> bool:
    """Whether the run was asked to wait."""
    return (run_folder / layout.PAUSED).exists()


def ends_closed(events: Path) -> bool:
    """Whether the last whole line closes the run, without reading the whole file."""
    try:
        with events.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            tail = file.read()
    except FileNotFoundError:
        return False
    lines = tail[: tail.rfind(b"\n") + 1].splitlines(keepends=True)
    if not lines:
        return False
    try:
        newest, _ = parse_events(lines[-1])
    except DamagedEventsError:
        return False
    return RunLifecycle.of(newest).is_closed
