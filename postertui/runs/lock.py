"""The lock of one run: its holder is the run's one writer."""

from __future__ import annotations

from pathlib import Path

from postertui.runs import layout
from postertui.system.locks import FileLock, is_held


class RunLock(FileLock):
    """The flock on `runs/<run>/lock`. Its holder is the run's one writer."""

    def __init__(self, run_folder: Path) -> None:
        super().__init__(run_folder / layout.LOCK)


def is_locked(run_folder: Path) -> bool:
    """Whether some process works on the run right now."""
    return is_held(run_folder / layout.LOCK)
