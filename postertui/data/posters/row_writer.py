"""Writes a .npy file of unknown length."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray


class RowWriter:
    """Writes uint8 rows of one shape to a .npy file without knowing beforehand how many.

    The header has room for any number of rows, so that it can be written again at the end.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...]) -> None:
        self._file = path.open("wb")
        self._row_shape = row_shape
        self._digest = hashlib.sha256()
        self.rows = 0
        self._write_header()
        self._start = self._file.tell()

    @property
    def hexdigest(self) -> str:
        """A digest of all rows so far."""
        return self._digest.hexdigest()[:32]

    def append(self, rows: list[NDArray[np.uint8]] | NDArray[np.uint8]) -> None:
        if not len(rows):
            return
        data = np.ascontiguousarray(rows)
        self._file.write(data.data)
        self._digest.update(data.data)
        self.rows += len(data)

    def _write_header(self) -> None:
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(
            self._file,
            {"shape": (self.rows, *self._row_shape), "fortran_order": False, "descr": "|u1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._file:
            self._write_header()
            if self._file.tell() != self._start:
                raise OSError("the header of the array grew over its rows")
