"""Removing runs so that it can be undone: their folders move aside, and are deleted when asked.

`runs/.removed/<number>/<run>` holds the runs of one removal, the newest under the highest number.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from postertui.runs import layout
from postertui.runs.lock import RunLock


class Outcome(NamedTuple):
    """Runs that were moved, and those that were left: in use, or one of that name is there."""

    moved: list[str]
    left: list[str]


def remove(folder: Path, runs: Iterable[str]) -> Outcome:
    """Move these runs aside, except those that a job is training. Raises `OSError`."""
    removals = _removals(folder)
    target = folder / layout.REMOVED / str(int(removals[-1].name) + 1 if removals else 1)
    target.mkdir(mode=0o700, parents=True)
    outcome = Outcome([], [])
    for run in runs:
        with contextlib.suppress(FileNotFoundError), RunLock(folder / run) as lock:
            if lock.acquire():
                (folder / run).rename(target / run)
                outcome.moved.append(run)
            else:
                outcome.left.append(run)
    if not outcome.moved:
        target.rmdir()
    return outcome


def undo(folder: Path) -> Outcome:
    """Bring the runs of the newest removal back. Raises `OSError`."""
    outcome = Outcome([], [])
    removals = _removals(folder)
    if not removals:
        return outcome
    for path in sorted(removals[-1].iterdir()):
        try:
            # A folder that is not empty is not replaced.
            path.rename(folder / path.name)
            outcome.moved.append(path.name)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            outcome.left.append(path.name)
    if not outcome.left:
        removals[-1].rmdir()
    return outcome


def removed_runs(folder: Path) -> list[str]:
    """The names of all runs that could be brought back."""
    return [path.name for removal in _removals(folder) for path in sorted(removal.iterdir())]


def empty(folder: Path) -> None:
    """Delete the removed runs for good. Raises `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder / layout.REMOVED)


def _removals(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError):
        found = [p for p in (folder / layout.REMOVED).iterdir() if p.name.isdecimal()]
        return sorted(found, key=lambda path: int(path.name))
    return []
