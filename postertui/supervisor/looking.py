"""What the queue looks at in a run's folder, as cheaply as it can be told."""

from __future__ import annotations

from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError, parse_events
from postertui.supervisor.settle import standing

#: Reading so many bytes from its end shows whether a run is closed.
TAIL = 8192


def identity_of(path: Path) -> tuple[int, int]:
    """A file's inode and size, which change with what an events file says; zeros for none."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_ino, stat.st_size


def priority_of(path: Path) -> int:
    """The priority that the run in `path` was given, 0 where it was given none."""
    try:
        return int((path / layout.PRIORITY).read_text())
    except (OSError, ValueError):
        return 0


def is_paused(path: Path) -> bool:
    """Whether the run in `path` is to wait."""
    return (path / layout.PAUSED).exists()


def is_closed_at_end(path: Path) -> bool:
    """Whether the last whole line ends the run, told without reading the whole file."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            tail = file.read()
    except FileNotFoundError:
        return False
    lines = tail[: tail.rfind(b"\n") + 1].splitlines(keepends=True)
    if not lines:
        return False
    try:
        events, _ = parse_events(lines[-1])
    except DamagedEventsError:
        return False
    return standing(events).is_closed
