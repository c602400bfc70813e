"""Files of features: room for them on the disk, and a checksum behind the array."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Rows that a checksum reads at a time.
_BLOCK = 256

_MAGIC = b"ptuicrc1"
_CHECKSUM = struct.Struct("<8sI")


def take_room(path: Path) -> None:
    """Have all of a file's blocks on the disk, so that writing to its mapping finds room.

    Without it, a mapped page for which there is no room ends the process (SIGBUS).
    Raises `OSError`.
    """
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def append_checksum(path: Path, features: NDArray[np.float32]) -> None:
    """Write a checksum of `features` behind the array in `path`, where NumPy ignores it."""
    with path.open("ab") as file:
        file.write(_CHECKSUM.pack(_MAGIC, _checksum(features)))


def has_checksum(path: Path, features: NDArray[np.float32]) -> bool:
    """Whether the checksum in `path` is that of `features`; True for a file without any.

    Raises `OSError`.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(features.offset + features.nbytes)  # type: ignore[attr-defined]
        trailer = file.read(_CHECKSUM.size + 1)
    if size == features.offset + features.nbytes:  # type: ignore[attr-defined]
        return True
    return trailer == _CHECKSUM.pack(_MAGIC, _checksum(features))


def _checksum(features: NDArray[Any]) -> int:
    """CRC-32 of the rows, read in blocks."""
    checksum = 0
    for start in range(0, len(features), _BLOCK):
        checksum = zlib.crc32(np.ascontiguousarray(features[start : start + _BLOCK]).data, checksum)
    return checksum
