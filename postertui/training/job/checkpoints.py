"""Which file holds the state after which epoch."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import Event

_DRAFT = re.compile(r"checkpoint\.(\d+)")


def effective_epochs(events: list[Event]) -> list[Event]:
    """The epochs that count: where a later attempt started over, only what it trained."""
    epochs: list[Event] = []
    for event in events:
        if event["event"] == "epoch":
            first = event["epoch"]
        elif event["event"] == "start":
            first = event.get("from_epoch", 1)
        else:
            continue
        while epochs and epochs[-1]["epoch"] >= first:
            epochs.pop()
        if event["event"] == "epoch":
            epochs.append(event)
    return epochs


def recover(run_folder: Path, events: list[Event]) -> tuple[Path | None, int]:
    """The checkpoint to go on from and the epoch it holds; (None, 0) to start over.

    Drafts that the last attempt left are taken where their epoch was told, removed otherwise.
    """
    newest = max((e["epoch"] for e in effective_epochs(events) if e.get("checkpoint")), default=0)
    path = run_folder / layout.CHECKPOINT
    for entry in list(run_folder.iterdir()):
        match = _DRAFT.fullmatch(entry.name)
        if match and int(match[1]) == newest:
            entry.replace(path)
        elif match or entry.name.startswith("checkpoint.tmp"):
            entry.unlink()
    if newest and path.is_file():
        return path, newest
    path.unlink(missing_ok=True)
    return None, 0


def draft(run_folder: Path, epoch: int, save: Callable[[Path], None]) -> Path:
    """Write the state after `epoch` beside the current checkpoint, durably."""
    temporary, path = run_folder / "checkpoint.tmp", run_folder / f"checkpoint.{epoch}"
    try:
        save(temporary)
        fd = os.open(temporary, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fchmod(fd, 0o600)
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
    """Let the draft, whose epoch is told now, be the checkpoint."""
    drafted.replace(run_folder / layout.CHECKPOINT)


def remove(run_folder: Path) -> None:
    """Remove the checkpoint of a run that is done, and every draft."""
    for entry in list(run_folder.iterdir()):
        if entry.name == "checkpoint" or entry.name.startswith("checkpoint."):
            entry.unlink(missing_ok=True)
