"""`weights.npz` of a run: its trained weights, readable with NumPy alone.

An uncompressed `.npz` archive (a zip file of `.npy` arrays, no pickles):

    meta            uint8, UTF-8 JSON: {"format": 1, "spec": digest of the run's spec, "epoch": …}
    encoding        uint8, UTF-8 JSON, of a run that takes details: how they become inputs
    model           uint8, of a classical model: as skops writes it
    <name>/<part>   float32, one array per trained weight, in the network's order

A weight's name is its layer's and `<part>` is `kernel` or `bias`: `block5_conv2`, `block5_conv3`
(3, 3, in, out) of VGG16 where they were trained, then the head `fc1`, `fc2`, `output` (in, out);
`conv`, `fc2`, `output` of the network `scratch`. Weights of other networks have their Keras paths.
Frozen layers are not in the file: they are those of the run's backbone. `epoch` is the one whose
weights these are: the last, or with `restore_best` the best.

The run's `end` event holds `"weights": {"digest": sha256 of the file, "bytes": …, "epoch": …}`.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.runs import layout
from postertui.runs.pruning import HOW_TO_RESTORE
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError
from postertui.system.regular_files import MAX_RESULT_BYTES, read_regular

FORMAT = 1

#: Runs with `keep_weights = "small"` keep their weights up to this size in bytes.
SMALL_BYTES = 16_000_000


class _Meta(msgspec.Struct, frozen=True):
    format: int
    spec: str
    epoch: int


class WeightsInfo(msgspec.Struct, frozen=True):
    """The field `weights` of an `end` event.

    Parameters
    ----------
    digest
        The SHA-256 of the file, in hex digits.
    bytes
        The file's size.
    epoch
        The epoch that the weights are of.
    """

    digest: str
    bytes: int
    epoch: int


class TrainedWeights(NamedTuple):
    """What training made of a run.

    Parameters
    ----------
    arrays
        Weights by name, in the network's order.
    epoch
        The epoch that they are of.
    encoding
        The JSON of what encodes the run's details; empty for a run without.
    model
        A classical model, which has no weights; else empty.
    """

    arrays: dict[str, NDArray[np.float32]]
    epoch: int
    encoding: bytes = b""
    model: bytes = b""


def write_weights(
    run_folder: Path,
    spec_digest: str,
    epoch: int,
    arrays: Mapping[str, NDArray[np.floating]],
    encoding: bytes = b"",
    model: bytes = b"",
) -> WeightsInfo:
    """Write a run's `weights.npz` atomically and durably.

    Parameters
    ----------
    spec_digest
        `RunSpec.digest` of the run.
    epoch, arrays, encoding, model
        As in `TrainedWeights`; arrays are stored as float32.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    meta = msgspec.json.encode(_Meta(FORMAT, spec_digest, epoch))
    contents: dict[str, NDArray[Any]] = {"meta": np.frombuffer(meta, np.uint8)}
    for name, part in (("encoding", encoding), ("model", model)):
        if part:
            contents[name] = np.frombuffer(part, np.uint8)
    contents |= {name: array.astype(np.float32) for name, array in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **contents)  # type: ignore[arg-type]
    data = buffer.getvalue()
    write_atomic(run_folder / layout.WEIGHTS, data, durable=True)
    return WeightsInfo(hashlib.sha256(data).hexdigest(), len(data), epoch)


def size_of(arrays: Iterable[NDArray[Any]]) -> int:
    """Bytes that the arrays take in `weights.npz`, without its headers."""
    return sum(4 * array.size for array in arrays)


def read_weights(run_folder: Path, spec_digest: str, file_digest: str) -> TrainedWeights:
    """Read a run's `weights.npz`.

    Parameters
    ----------
    spec_digest
        `RunSpec.digest` of the run.
    file_digest
        `digest` of the field `weights` in the run's `end` event.

    Raises
    ------
    UserError
        If there is no file (exit code 3), or it is damaged, changed, or of another run.
    """
    path = run_folder / layout.WEIGHTS
    try:
        data = read_regular(path, MAX_RESULT_BYTES)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no weights were kept of this run; train it again with --keep-weights all",
            exit_code=3,
        ) from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != file_digest:
        raise UserError(
            f"{path}: not the file that the run wrote (its digest differs); {HOW_TO_RESTORE}"
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            meta = msgspec.json.decode(stored["meta"].tobytes(), type=_Meta)
            encoding, model = (
                stored[name].tobytes() if name in stored.files else b""
                for name in ("encoding", "model")
            )
            names = [n for n in stored.files if n not in ("meta", "encoding", "model")]
            arrays = {name: stored[name] for name in names}
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        raise UserError(f"{path}: damaged weights ({error}); {HOW_TO_RESTORE}") from None
    if meta.format != FORMAT:
        raise UserError(f"{path}: weights of format {meta.format}, not {FORMAT}; upgrade postertui")
    if meta.spec != spec_digest:
        raise UserError(f"{path}: weights of another run; {HOW_TO_RESTORE}")
    return TrainedWeights(arrays, meta.epoch, encoding, model)
