"""A run's folder on a node: what the node has of it, made to fit what is known elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.lock import is_locked
from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray.protocol import Line, continues, join, read_lines

#: Folders of runs that nobody touched for so many seconds are removed: two weeks.
KEPT = 14 * 86_400.0


def local_lines(folder: Path) -> list[Line]:
    """The whole lines of the run's events on this node; none where there are none, or bad ones."""
    try:
        return read_lines((folder / layout.EVENTS).read_bytes())
    except (OSError, ValueError):
        return []


def prepare(
    folder: Path, spec: RunSpec, known: list[Line], checkpoint: tuple[int, bytes] | None = None
) -> int:
    """Make the folder ready to be trained in; the size of that part of its events that is known.

    Where the node's own history is the known one, or continues it, it stays, and with it the
    checkpoint; where it stops earlier, the rest is appended. Any other history is of an attempt
    that was overtaken: it goes, and `checkpoint`, the epoch and state that somebody else kept,
    takes its place. Raises `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for wish in ("cancel", "paused"):
        (folder / wish).unlink(missing_ok=True)
    events = folder / layout.EVENTS
    local = local_lines(folder)
    if continues(local, known):
        _write(events, join(local))
    elif local and continues(known, local):
        _write(events, join(local) + join(known[len(local) :]))
    else:
        for path in folder.glob("checkpoint*"):
            path.unlink()
        if checkpoint is not None:
            _write(folder / f"checkpoint.{checkpoint[0]}", checkpoint[1])
        kept = None if checkpoint is None else checkpoint[0]
        _write(events, b"".join(_without_checkpoint(line, kept) for line in known))
        local = []
    _write(folder / layout.SPEC, msgspec.json.encode(spec) + b"\n")
    if continues(local, known):
        return len(join(local[: len(known)]))
    return events.stat().st_size


def _without_checkpoint(line: Line, kept: int | None) -> bytes:
    """The line, no longer promising a state that is not on this node."""
    if not line.mark.checkpoint or line.mark.epoch == kept:
        return line.text
    event = msgspec.json.decode(line.text)
    del event["checkpoint"]
    return msgspec.json.encode(event) + b"\n"


def held(runs: Path) -> dict[str, int]:
    """How many lines this node has of each run that nobody works on; old folders are removed."""
    found = {}
    with contextlib.suppress(OSError):
        for folder in sorted(runs.iterdir()):
            if not folder.is_dir() or is_locked(folder):
                continue
            if time.time() - folder.stat().st_mtime > KEPT:
                shutil.rmtree(folder, ignore_errors=True)
            elif lines := local_lines(folder):
                found[folder.name] = len(lines)
    return found


def _write(path: Path, data: bytes) -> None:
    """Replace the file, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


class Tail:
    """What is appended to a file, from an offset on."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._offset = offset

    def read(self, *, whole_lines: bool = False, most: int = 1 << 22) -> bytes:
        """What has come since the last call; with `whole_lines`, up to the last newline."""
        try:
            if self._path.stat().st_size <= self._offset:
                return b""
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(most)
        except OSError:
            return b""
        if whole_lines:
            data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        return data
