"""The files that hold the state after an epoch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import Event
from postertui.runs.lifecycle import effective_epochs
from postertui.system.sharing import file_mode

#: A checkpoint may take this share of the time since the one before.
CHECKPOINT_SHARE = 0.05

#: Seconds without a checkpoint after which one is written however long it takes.
CHECKPOINT_SECONDS = 10.0


def recover(run_folder: Path, events: list[Event]) -> tuple[Path | None, int]:
    """The checkpoint to resume from and its epoch; (None, 0) to start over.

    Drafts that the last attempt left are adopted where their epoch was recorded, removed otherwise.
    """
    newest = max((e["epoch"] for e in effective_epochs(events) if e.get("checkpoint")), default=0)
    path = run_folder / layout.CHECKPOINT
    for entry in list(run_folder.iterdir()):
        if newest and layout.draft_epoch(entry.name) == newest:
            entry.replace(path)
        elif entry != path and layout.is_checkpoint_file(entry.name):
            entry.unlink()
    if newest and path.is_file() and not path.is_symlink():
        return path, newest
    path.unlink(missing_ok=True)
    return None, 0


def draft(run_folder: Path, epoch: int, save: Callable[[Path], None]) -> Path:
    """Write the state after `epoch` beside the current checkpoint, durably.

    Parameters
    ----------
    save
        Writes the state to the path that it is given.

    Raises
    ------
    OSError
        Where it cannot be written; nothing is left then.
    """
    temporary = run_folder / layout.CHECKPOINT_TEMPORARY
    path = run_folder / layout.checkpoint_draft(epoch)
    # A link that lay here would lead the trainer to write elsewhere.
    temporary.unlink(missing_ok=True)
    try:
        save(temporary)
        fd = os.open(temporary, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fchmod(fd, file_mode(run_folder))
            os.fdatasync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return path


def adopt(run_folder: Path, drafted: Path) -> None:
    """Make the draft, whose epoch is recorded now, the checkpoint."""
    drafted.replace(run_folder / layout.CHECKPOINT)


def remove(run_folder: Path) -> None:
    """Remove the checkpoint of a run that is done, and every draft."""
    for entry in list(run_folder.iterdir()):
        if layout.is_checkpoint_file(entry.name):
            entry.unlink(missing_ok=True)


def is_due(waited: float, cost: float) -> bool:
    """Whether a checkpoint is due `waited` seconds after one that took `cost` seconds."""
    return cost < CHECKPOINT_SHARE * waited or waited > CHECKPOINT_SECONDS
