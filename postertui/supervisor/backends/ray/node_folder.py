"""Run folders on a node: reconciling them with the driver's history of a run."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

import msgspec

from postertui.runs import layout
from postertui.runs.lock import is_locked
from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray.event_lines import (
    EventLine,
    extends,
    join_lines,
    parse_lines,
)
from postertui.system.atomic_files import write_atomic

#: Folders of runs that were not written to for this long are removed: two weeks, in seconds.
KEPT_SECONDS = 14 * 86_400.0


def local_lines(folder: Path) -> list[EventLine]:
    """The complete event lines of the run on this node; none where they cannot be read."""
    try:
        return parse_lines((folder / layout.EVENTS).read_bytes())
    except (OSError, ValueError):
        return []


def prepare_run_folder(
    folder: Path,
    spec: RunSpec,
    head_lines: list[EventLine],
    checkpoint: tuple[int, bytes] | None = None,
) -> int:
    """Make the folder ready for training.

    Where the node's own history extends the driver's, it stays together with its checkpoint;
    where it stops earlier, the rest is appended. Any other history is that of an attempt that was
    superseded: it is replaced by the driver's and by `checkpoint`.

    Parameters
    ----------
    folder
        The run's folder on this node; made where it is missing.
    spec
        What to train.
    head_lines
        The run's events as the driver has them.
    checkpoint
        Epoch and state of the checkpoint that the driver has.

    Returns
    -------
    int
        The offset in the events file behind what the driver has.

    Raises
    ------
    OSError
        Where something cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for request in (layout.CANCEL, layout.PAUSED):
        (folder / request).unlink(missing_ok=True)
    events = folder / layout.EVENTS
    local = local_lines(folder)
    if extends(local, head_lines):
        write_atomic(events, join_lines(local), durable=True)
    elif local and extends(head_lines, local):
        write_atomic(events, join_lines(local) + join_lines(head_lines[len(local) :]), durable=True)
    else:
        for path in folder.glob(f"{layout.CHECKPOINT}*"):
            path.unlink()
        if checkpoint is not None:
            write_atomic(
                folder / layout.checkpoint_draft(checkpoint[0]), checkpoint[1], durable=True
            )
        kept_epoch = None if checkpoint is None else checkpoint[0]
        history = b"".join(_without_checkpoint(line, kept_epoch) for line in head_lines)
        write_atomic(events, history, durable=True)
        local = []
    write_atomic(folder / layout.SPEC, msgspec.json.encode(spec) + b"\n", durable=True)
    if extends(local, head_lines):
        return len(join_lines(local[: len(head_lines)]))
    return events.stat().st_size


def _without_checkpoint(line: EventLine, kept_epoch: int | None) -> bytes:
    """The line, without the mention of a checkpoint that is not on this node."""
    if not line.header.checkpoint or line.header.epoch == kept_epoch:
        return line.text
    event = msgspec.json.decode(line.text)
    del event["checkpoint"]
    return msgspec.json.encode(event) + b"\n"


def count_held_lines(runs: Path) -> dict[str, int]:
    """Event lines on this node of each run that is not locked; old folders are removed."""
    counts = {}
    with contextlib.suppress(OSError):
        for folder in sorted(runs.iterdir()):
            if not folder.is_dir() or is_locked(folder):
                continue
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
            elif lines := local_lines(folder):
                counts[folder.name] = len(lines)
    return counts


class FileTail:
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
