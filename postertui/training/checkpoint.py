"""Checkpoints: weights, Adam's moments and the schedule's memory after an epoch, as plain npz."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.system.errors import UserError
from postertui.training.schedule import Progress

FORMAT = 1

Arrays = list[NDArray[np.floating]]


class Checkpoint(NamedTuple):
    """The state after `epoch`: three arrays per weight, how many updates Adam has made, and the
    schedule's memory. `digest` says whose: that of the run's spec."""

    digest: str
    epoch: int
    updates: int
    progress: Progress
    weights: Arrays
    m: Arrays
    v: Arrays


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path` and on to the disk. Whoever needs it atomic renames it then."""
    progress = np.array([float(x) for x in msgspec.structs.astuple(checkpoint.progress)])
    arrays: dict[str, NDArray[np.generic]] = {
        "format": np.array([FORMAT, checkpoint.epoch, checkpoint.updates], np.int64),
        "digest": np.frombuffer(checkpoint.digest.encode(), np.uint8),
        "progress": progress,
    }
    for name in ("weights", "m", "v"):
        for i, array in enumerate(getattr(checkpoint, name)):
            arrays[f"{name}_{i}"] = array
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
        file.flush()


def load_checkpoint(path: Path, digest: str) -> Checkpoint:
    """Read a checkpoint. Raises `UserError` where it is damaged or another run's."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            form, epoch, updates = (int(x) for x in stored["format"])
            if form != FORMAT:
                raise UserError(
                    f"{path}: a checkpoint of format {form}, not {FORMAT}; retry the run"
                )
            whose = stored["digest"].tobytes().decode()
            count = sum(name.startswith("weights_") for name in stored.files)
            groups = [[stored[f"{g}_{i}"] for i in range(count)] for g in ("weights", "m", "v")]
            rate, best, waited, stop_best, stop_waited, stopped = stored["progress"].tolist()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a whole checkpoint ({error}); retry the run") from None
    if whose != digest:
        raise UserError(f"{path}: the checkpoint of another run; retry the run")
    progress = Progress(rate, best, int(waited), stop_best, int(stop_waited), bool(stopped))
    return Checkpoint(whose, epoch, updates, progress, *groups)
