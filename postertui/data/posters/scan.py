"""Finding the poster files below a folder."""

from __future__ import annotations

import os
import re
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postertui.system.errors import UserError

_SUFFIXES = (".jpg", ".jpeg", ".png")
_ID = re.compile(r"\d{1,18}", re.ASCII)


class PosterFiles:
    """The posters below a folder by ascending id, kept small: millions fit in memory.

    `ids` int64 (n,), ascending and without duplicates; `unnamed` the image files whose name is
    not an id.
    """

    def __init__(self, root: Path) -> None:
        """Look through `root`. Raises `UserError` where it cannot be read or an id is twice."""
        self.root = root
        self.unnamed: list[str] = []
        self._folders: list[str] = []
        self._names = bytearray()
        ids, folders, offsets = array("q"), array("i"), array("q")
        for folder, names in _walk(root):
            self._folders.append(folder)
            for name in names:
                stem, suffix = os.path.splitext(name)  # noqa: PTH122  (a million times)
                if suffix.lower() not in _SUFFIXES or stem.startswith("."):
                    continue
                if not _ID.fullmatch(stem):
                    self.unnamed.append(os.path.join(folder, name))  # noqa: PTH118
                    continue
                ids.append(int(stem))
                folders.append(len(self._folders) - 1)
                offsets.append(len(self._names))
                self._names += os.fsencode(name) + b"\0"
        if not ids:
            raise UserError(
                f"{root}: no poster in it; posters are <id>.jpg or <id>.png, anywhere below"
            )
        order = np.argsort(np.frombuffer(ids, np.int64), kind="stable")
        self.ids: NDArray[np.int64] = np.frombuffer(ids, np.int64)[order]
        self._folder_of = np.frombuffer(folders, np.int32)[order]
        self._offset_of = np.frombuffer(offsets, np.int64)[order]
        twice = np.flatnonzero(self.ids[1:] == self.ids[:-1])
        if len(twice):
            first = int(twice[0])
            raise UserError(
                f"{self.path(first)}: duplicate id {self.ids[first]}, also in "
                f"{self.path(first + 1)}; keep one of them"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, index: int) -> Path:
        """The file of the poster at `index` in `ids`."""
        start = int(self._offset_of[index])
        name = os.fsdecode(bytes(self._names[start : self._names.index(b"\0", start)]))
        return Path(self._folders[int(self._folder_of[index])], name)


def _walk(root: Path) -> list[tuple[str, list[str]]]:
    if not root.is_dir():
        reason = "is a file, not a folder" if root.exists() else "no such folder"
        raise UserError(f"{root}: {reason}; give the folder that holds the posters")

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename}: {error.strerror}")

    return [(folder, names) for folder, _, names in os.walk(root, onerror=refuse) if names]
