"""Finding the poster files below a folder."""

from __future__ import annotations

import hashlib
import os
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postertui.data.ids import IMAGE_SUFFIXES, id_of_stem, is_plain_stem
from postertui.system.errors import UserError

#: What systems leave in folders.
_CLUTTER = ("Thumbs.db", "desktop.ini")


class PosterFiles:
    """The posters below a folder by ascending id, kept small: millions fit in memory.

    `ids` int64 (n,), ascending and without duplicates. `left_out` pairs a file that is not used
    with the reason, `seen` counts all files.
    """

    def __init__(self, root: Path, *, ignored: Path | None = None, strict: bool = False) -> None:
        """Look through `root`, passing over the file `ignored`.

        Of several files of one id, one whose name is the id alone is used, or all are left out
        where they differ. Raises `UserError` where the folder cannot be read or has no poster;
        with `strict`, also where files of one id differ.
        """
        self.root = root
        self.left_out: list[tuple[str, str]] = []
        self.seen = 0
        self._folders: list[str] = []
        self._names = bytearray()
        ids, folders, offsets = array("q"), array("i"), array("q")
        for folder, names, special in _walk(root):
            self._folders.append(folder)
            for name in names:
                if name.startswith(".") or name in _CLUTTER:
                    continue
                stem, suffix = os.path.splitext(name)  # noqa: PTH122  (a million times)
                path = os.path.join(folder, name)  # noqa: PTH118
                is_image = suffix.lower() in IMAGE_SUFFIXES
                if not is_image and ignored is not None and Path(path) == ignored:
                    continue
                self.seen += 1
                if not is_image:
                    self.left_out.append((path, "not an image file by its name"))
                    continue
                if name in special:
                    self.left_out.append((path, "a pipe or a device, not a file"))
                    continue
                number = id_of_stem(stem)
                if number is None:
                    self.left_out.append((path, "its name is not an id"))
                    continue
                ids.append(number)
                folders.append(len(self._folders) - 1)
                offsets.append(len(self._names))
                self._names += os.fsencode(name) + b"\0"
        if not ids:
            raise UserError(
                f"{root}: no poster in it; posters are called <id>.jpg, tt<id>.png, "
                "<id>_poster.webp or the like, anywhere below"
            )
        order = np.argsort(np.frombuffer(ids, np.int64), kind="stable")
        self.ids: NDArray[np.int64] = np.frombuffer(ids, np.int64)[order]
        self._folder_of = np.frombuffer(folders, np.int32)[order]
        self._offset_of = np.frombuffer(offsets, np.int64)[order]
        self._drop_duplicates(strict)

    def _drop_duplicates(self, strict: bool) -> None:
        """Keep one file of each id, or none where it is not clear which."""
        kept = np.ones(len(self.ids), bool)
        for number in np.unique(self.ids[1:][self.ids[1:] == self.ids[:-1]]):
            first, end = np.searchsorted(self.ids, [number, number + 1]).tolist()
            indices = list(range(first, end))
            plain = [i for i in indices if is_plain_stem(self.path(i).stem)]
            candidates = plain or indices
            if len({_digest(self.path(i)) for i in candidates}) == 1:
                candidates = candidates[:1]
            names = " and ".join(str(self.path(i)) for i in candidates[:2])
            if len(candidates) > 1 and strict:
                raise UserError(f"{names}: both are of the id {number}; keep one of them")
            use = candidates[0] if len(candidates) == 1 else None
            for index in indices:
                if index != use:
                    kept[index] = False
                    reason = (
                        "another file has the same id"
                        if use is None
                        else (f"{self.path(use).name} has the same id")
                    )
                    self.left_out.append((str(self.path(index)), reason))
        if not kept.all():
            self.ids, self._folder_of = self.ids[kept], self._folder_of[kept]
            self._offset_of = self._offset_of[kept]

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, index: int) -> Path:
        """The file of the poster at `index` in `ids`."""
        start = int(self._offset_of[index])
        name = os.fsdecode(bytes(self._names[start : self._names.index(b"\0", start)]))
        return Path(self._folders[int(self._folder_of[index])], name)


def _walk(root: Path) -> list[tuple[str, list[str], set[str]]]:
    """Each folder below `root`, its files' names, and those of them that are pipes or devices."""
    if not root.is_dir():
        reason = "is a file, not a folder" if root.exists() else "no such folder"
        raise UserError(f"{root}: {reason}; give the folder that holds the posters")

    def raise_user_error(error: OSError) -> None:
        raise UserError(f"{error.filename}: {error.strerror}")

    folders = []
    for folder, _, names in os.walk(root, onerror=raise_user_error):
        if names:
            folders.append((folder, sorted(names), _special_files(folder)))
    return folders


def _special_files(folder: str) -> set[str]:
    """The names in `folder` that lead to neither a file nor a folder, nor nowhere."""
    try:
        with os.scandir(folder) as entries:
            return {
                entry.name
                for entry in entries
                # Asking for the kind costs nothing except for links.
                if not entry.is_file() and not entry.is_dir() and os.path.exists(entry.path)  # noqa: PTH110
            }
    except OSError:
        return set()


def _digest(path: Path) -> bytes:
    """A digest of a file's content; of its name where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return os.fsencode(path)
