"""Removing runs so that it can be undone: their folders move aside, and are deleted when asked.

`runs/.removed/<number>/<run>` holds the runs of one removal, the newest under the highest number.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from postertui.runs import layout
from postertui.runs.lock import RunLock
from postertui.system.atomic_files import DRAFT_PREFIX
from postertui.system.regular_files import UnusableFileError


class RemovalOutcome(NamedTuple):
    """Runs that were moved, and those that were left: in use, or one of that name is there."""

    moved: list[str]
    left: list[str]


def remove(folder: Path, runs: Iterable[str]) -> RemovalOutcome:
    """Move these runs aside, except those that a job is training. Raises `OSError`."""
    target = _make_removal(folder)
    outcome = RemovalOutcome([], [])
    for run in runs:
        with contextlib.suppress(FileNotFoundError):
            if _move_unused(folder / run, target / run):
                outcome.moved.append(run)
            else:
                outcome.left.append(run)
    if not outcome.moved:
        target.rmdir()
    return outcome


def _make_removal(folder: Path) -> Path:
    """A folder for a removal, under a higher number than any other. Raises `OSError`."""
    while True:
        (folder / layout.REMOVED).mkdir(mode=0o700, exist_ok=True)
        removals = _removals(folder)
        path = folder / layout.REMOVED / str(int(removals[-1].name) + 1 if removals else 1)
        # Another program may remove runs at the same time.
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            return path


def _move_unused(run_folder: Path, target: Path) -> bool:
    """Move a run's folder unless a job is training it; whether it was moved."""
    try:
        with RunLock(run_folder) as lock:
            if not lock.acquire():
                return False
            run_folder.rename(target)
    except UnusableFileError:
        # No job can train a run whose lock is no file.
        run_folder.rename(target)
    return True


def undo(folder: Path) -> RemovalOutcome:
    """Bring the runs of the newest removal back. Raises `OSError`."""
    outcome = RemovalOutcome([], [])
    removals = [removal for removal in _removals(folder) if _runs_of(removal)]
    if not removals:
        return outcome
    for path in _runs_of(removals[-1]):
        try:
            # A folder that is not empty is not replaced.
            path.rename(folder / path.name)
            outcome.moved.append(path.name)
        except FileNotFoundError:
            continue  # Another program has brought it back.
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            outcome.left.append(path.name)
    if not outcome.left:
        with contextlib.suppress(OSError):
            removals[-1].rmdir()
    return outcome


def removed_runs(folder: Path) -> list[str]:
    """The names of all runs that could be brought back."""
    return [path.name for removal in _removals(folder) for path in _runs_of(removal)]


def empty(folder: Path) -> None:
    """Delete the removed runs for good. Raises `OSError`.

    In one step nothing can be brought back any more: no run comes back half deleted.
    """
    _removals(folder)  # refuses a link
    draft = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=folder))
    with contextlib.suppress(FileNotFoundError):
        (folder / layout.REMOVED).rename(draft)
    shutil.rmtree(draft)


def _removals(folder: Path) -> list[Path]:
    removed = folder / layout.REMOVED
    if removed.is_symlink():
        raise UnusableFileError(errno.ELOOP, "is a link, which is not followed", str(removed))
    with contextlib.suppress(FileNotFoundError):
        batches = [p for p in removed.iterdir() if p.name.isdecimal()]
        return sorted(batches, key=lambda path: int(path.name))
    return []


def _runs_of(removal: Path) -> list[Path]:
    """The folders of runs in a removal; nothing else in it is moved to where runs are."""
    if not _is_folder(removal):
        return []
    with contextlib.suppress(FileNotFoundError):
        return [p for p in sorted(removal.iterdir()) if p.name[0] != "." and _is_folder(p)]
    return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
