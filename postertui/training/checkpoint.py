"""Checkpoints: weights, Adam's moments and the learning rate's state after an epoch, as .npz."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.system.errors import UserError
from postertui.system.regular_files import open_regular
from postertui.system.text import describe_error
from postertui.training.learning_rate import RateState

FORMAT = 1

#: The length of a ZIP archive's end-of-central-directory record without a comment.
_END_BYTES = 22

Arrays = list[NDArray[np.floating]]


class Checkpoint(NamedTuple):
    """The state of a run after an epoch.

    Parameters
    ----------
    digest
        Of the run's spec.
    epoch
        The epoch.
    updates
        The number of updates so far.
    rate_state
        The learning rate's state.
    weights, m, v
        Three arrays per weight: itself, and Adam's two moments.
    best
        The weights after `rate_state.best_epoch`, where the variant selects epochs.
    """

    digest: str
    epoch: int
    updates: int
    rate_state: RateState
    weights: Arrays
    m: Arrays
    v: Arrays
    best: Arrays


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`; not atomic, so write beside the target and rename."""
    rate_state = np.array([float(x) for x in msgspec.structs.astuple(checkpoint.rate_state)])
    arrays: dict[str, NDArray[np.generic]] = {
        "format": np.array([FORMAT, checkpoint.epoch, checkpoint.updates], np.int64),
        "digest": np.frombuffer(checkpoint.digest.encode(), np.uint8),
        "progress": rate_state,
    }
    for name in ("weights", "m", "v", "best"):
        for i, array in enumerate(getattr(checkpoint, name)):
            arrays[f"{name}_{i}"] = array
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
        file.flush()


def load_checkpoint(
    path: Path, digest: str, shapes: Sequence[tuple[int, ...]] | None = None
) -> Checkpoint:
    """Read a checkpoint of the run with `digest`, whose weights have `shapes` if given.

    Raises `UserError` where it is damaged or of another run, whatever its bytes are.
    """
    try:
        fd = open_regular(path, os.O_RDONLY)
        with os.fdopen(fd, "rb") as file, np.load(file, allow_pickle=False) as stored:
            file_format, epoch, updates = (int(x) for x in stored["format"])
            if file_format != FORMAT:
                raise UserError(
                    f"{path}: a checkpoint of format {file_format}, not {FORMAT}; retry the run"
                )
            run_digest = stored["digest"].tobytes().decode()
            count = sum(name.startswith("weights_") for name in stored.files)
            weights, m, v = (
                [stored[f"{name}_{i}"] for i in range(count)] for name in ("weights", "m", "v")
            )
            best = [stored[f"best_{i}"] for i in range(count) if f"best_{i}" in stored.files]
            rate_state = _rate_state(stored["progress"].tolist())
            if len(stored.files) != _entry_count(file):
                raise ValueError("tensors are missing")
        expected = [array.shape for array in weights] if shapes is None else list(shapes)
        for group in (weights, m, v, best or weights):
            if [array.shape for array in group] != expected:
                raise ValueError("its tensors are not those of the network")
            if any(array.dtype.kind != "f" for array in group):
                raise ValueError("its tensors are not of floating-point numbers")
        if epoch < 1 or updates < 0:
            raise ValueError(f"epoch {epoch}, update {updates}")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except UserError:
        raise
    except Exception as error:
        # Readers of archives and arrays raise nearly anything for bytes that are not theirs.
        reason = f"{type(error).__name__}: {describe_error(error)}"
        raise UserError(f"{path}: incomplete or damaged checkpoint ({reason})") from None
    if run_digest != digest:
        raise UserError(f"{path}: a checkpoint of another run; retry the run")
    return Checkpoint(run_digest, epoch, updates, rate_state, weights, m, v, best)


def _entry_count(file: BinaryIO) -> int:
    """How many tensors an archive's end says it has.

    A damaged directory can lose those at its end, which are the best weights, without an error.
    """
    file.seek(-_END_BYTES, os.SEEK_END)
    return int.from_bytes(file.read()[10:12], "little")


def _rate_state(values: list[float]) -> RateState:
    """From its fields in order; a checkpoint of an earlier version has fewer."""
    types = (float, float, int, float, int, bool, int)
    return RateState(*(of_type(value) for of_type, value in zip(types, values, strict=False)))
