"""Notes and tags that users give to runs: `runs/.notes.json`, one file for all runs.

A run's own folder belongs to its one writer, so notes are kept beside the runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.locks import FileLock
from postertui.system.regular_files import read_json

#: Seconds to wait for another program that changes the notes.
LOCK_TIMEOUT = 10.0

_TAG = re.compile(r"[^\s,#()\"]+")


class Note(msgspec.Struct, frozen=True):
    """What a user wrote about a run."""

    text: str = ""
    tags: tuple[str, ...] = ()
    pinned: bool = False

    def __bool__(self) -> bool:
        return bool(self.text or self.tags or self.pinned)


class _File(msgspec.Struct, frozen=True):
    runs: dict[str, Note] = {}


def read_notes(folder: Path) -> dict[str, Note]:
    """Notes by run. Raises `UserError` where the file is damaged; no file is no notes."""
    try:
        return read_json(folder / layout.NOTES, _File, "a notes file (mend or remove it)").runs
    except FileNotFoundError:
        return {}


def change_notes(
    folder: Path, runs: Iterable[str], change: Callable[[Note], Note]
) -> dict[str, Note]:
    """Change the notes of some runs, leaving all others as they are on disk.

    Safe against another dashboard doing the same.

    Parameters
    ----------
    folder
        The runs folder.
    change
        Called with each run's note as it is on disk; an empty one removes it.

    Returns
    -------
    dict
        All notes now, by run.

    Raises
    ------
    UserError
        Where the file is damaged, and where another program keeps its lock.
    OSError
        Where it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(folder / layout.NOTES_LOCK) as lock:
        if not lock.acquire(LOCK_TIMEOUT):
            raise UserError(f"{folder}: another program holds the notes; try again", exit_code=1)
        notes = read_notes(folder)
        notes.update({run: change(notes.get(run, Note())) for run in runs})
        notes = {run: note for run, note in sorted(notes.items()) if note}
        data = msgspec.json.format(msgspec.json.encode(_File(notes)), indent=1) + b"\n"
        write_atomic(folder / layout.NOTES, data)
    return notes


def parse_tags(text: str) -> tuple[str, ...]:
    """The tags in what a user typed: words, with or without `#` and commas."""
    return tuple(dict.fromkeys(_TAG.findall(text)))
