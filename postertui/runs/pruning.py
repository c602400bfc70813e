"""Removes what can be trained or computed again from runs' folders; never their histories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Literal

from postertui.runs import layout
from postertui.runs.lock import RunLock

PrunableKind = Literal["weights", "predictions", "checkpoints"]

#: What mends a damaged result of a done run, which is not retried.
HOW_TO_RESTORE = (
    "delete it to do without, or train the run again: `postertui rm` it, then `postertui train`"
)


def prunable_files(run_folder: Path, kinds: Collection[PrunableKind]) -> Iterator[tuple[Path, int]]:
    """The run's files of `kinds`, and their sizes in bytes. Raises `OSError`."""
    for path in sorted(run_folder.iterdir()):
        if file_kind(path.name) in kinds and path.is_file() and not path.is_symlink():
            yield path, path.stat().st_size


def kept_bytes(runs_folder: Path, runs: Iterable[str]) -> dict[str, int]:
    """What the weights and predictions of runs take on disk.

    Returns
    -------
    dict
        Bytes by run, without runs that cannot be looked at; empty where no run keeps any.
    """
    sizes = {}
    for run in runs:
        try:
            files = prunable_files(runs_folder / run, ("weights", "predictions"))
            sizes[run] = sum(size for _, size in files)
        except OSError:
            continue
    return sizes if any(sizes.values()) else {}


def file_kind(name: str) -> PrunableKind | None:
    """What a file of a run's folder is; None for what is never removed."""
    if name == layout.WEIGHTS:
        return "weights"
    if name == layout.PREDICTIONS:
        return "predictions"
    return "checkpoints" if layout.is_checkpoint_file(name) else None


def prune_run(run_folder: Path, kinds: Collection[PrunableKind]) -> int | None:
    """Remove the run's files of some kinds.

    Returns
    -------
    int or None
        The bytes freed; None where another process has the run's lock.

    Raises
    ------
    OSError
        Where a file cannot be removed.
    """
    lock = RunLock(run_folder)
    if not lock.acquire():
        return None
    try:
        freed = 0
        for path, size in list(prunable_files(run_folder, kinds)):
            path.unlink()
            freed += size
        return freed
    finally:
        lock.release()
