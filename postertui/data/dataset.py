"""Posters and their labels on disk, by cohort: the last digit of a poster's id.

A data folder as `postertui data build` makes it:

    dataset.json   genres in order, image side, posters per cohort, digests, where they came from
    images-<d>.npy uint8 (n, side, side, 3), memory-mapped
    images-<d>-<s>.npy  the same posters at a further side of s pixels, where there are any
    labels-<d>.npy uint8 (n, genres), 0 or 1
    ids-<d>.npy    int64 (n,), ascending

A folder with the pair of 2017, `img_rgb_color_<d>x.npy` (float64 in 0..1) and
`genre_cohorts_<d>x.npy` (n, genres), is read as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data import digests, pair_2017
from postertui.data.arrays import open_array
from postertui.data.description import DESCRIPTION, CohortInfo, DatasetInfo, read_description
from postertui.data.details.info import FILE as DETAILS
from postertui.data.details.info import DetailsInfo
from postertui.data.open_folder import OpenFolder
from postertui.data.sides import how_to_add_side, list_sides
from postertui.study import DEFAULT_RARITY
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.data.details.table import Details

Labels = NDArray[np.uint8]
Images = NDArray[Any]


class Dataset:
    """The cohorts of one data folder. Images stay on disk; labels are read when asked for.

    All files are opened in the folder that lay at `path` when the data set was opened. Where a
    build puts another in its place, what was not read yet is missing, never that of the other.
    What is read is checked against the digests of its description, where it has any.

    `path` the folder, `genres` their names in the labels' order, `side` of an image in pixels,
    `cohorts` the digits there are, `sides` the sides that the folder has, its first one first.
    """

    def __init__(self, folder: OpenFolder, info: DatasetInfo, names: _FileNames) -> None:
        self.path = folder.path
        self._folder = folder
        self._checked_images: set[int] = set()
        self._checked_labels = info.source.get("digest") != digests.DIGEST
        self.genres = info.genres
        self.side = info.side
        self.sides = info.all_sides
        self.cohorts = tuple(sorted(int(d) for d in info.cohorts))
        self.source = info.source
        self._info = info
        self._names = names
        self._labels: dict[int, Labels] = {}
        self._details: Details | None = None
        self._fingerprint = info.fingerprint

    @classmethod
    def open(cls, path: Path, side: int = 0) -> Dataset:
        """The data folder at `path`.

        Parameters
        ----------
        side
            Of the posters, in pixels; 0 is the first that the folder has.

        Raises
        ------
        UserError
            Where there is no such folder, its files are damaged or do not fit each other, or it
            lacks the side.
        """
        try:
            folder = OpenFolder(path)
        except OSError as error:
            if not path.is_dir():
                raise UserError(
                    f"{path}: no such data folder; `postertui data build` makes one"
                ) from None
            raise UserError(f"{path}: {error.strerror}") from None
        with folder.errors_explained():
            if (folder.place / DESCRIPTION).is_file():
                dataset = cls(folder, read_description(folder.place), _BUILT)
            else:
                dataset = cls(folder, pair_2017.describe_pair(folder.place), _PAIR)
        return dataset.at_side(side) if side else dataset

    def at_side(self, side: int) -> Dataset:
        """The same posters at another of `sides`, as if the folder had no other.

        Raises `UserError` where the folder lacks it.
        """
        if side == self.side:
            return self
        if side not in self.sides:
            raise UserError(
                f"{self.path}: no posters of {side} pixels; the data has "
                f"{list_sides(self.sides)}; {how_to_add_side(self.sides, side)}"
            )
        names = msgspec.structs.replace(self._names, images=f"images-{{}}-{side}.npy")
        return Dataset(self._folder, self._info.at_side(side), names)

    @property
    def fingerprint(self) -> str:
        """A digest of all images, labels, genres and ids: equal for equal content."""
        if not self._fingerprint:
            self._fingerprint = pair_2017.pair_fingerprint(
                self._folder.place, self.cohorts, self._info
            )
        return self._fingerprint

    @property
    def details_info(self) -> DetailsInfo | None:
        """What the folder has of details beside the posters; None where it has none."""
        return self._info.details

    def details(self) -> Details:
        """The details of the posters. Raises `UserError` where there are none, or damaged ones."""
        from postertui.data.details.table import read_details

        if self._info.details is None:
            raise UserError(f"{self.path}: has no details; `data build --details FILE` adds them")
        if self._details is None:
            with self._folder.errors_explained():
                self._details = read_details(self._folder.place, self._info.details)
        return self._details

    @property
    def details_path(self) -> Path:
        """The file with the details, for as long as this data set is open."""
        return self._folder.place / DETAILS

    def images_digest(self, cohort: int) -> str:
        """A digest of one cohort's images alone, for what depends on nothing else."""
        info = self._cohort(cohort)
        return info.images_digest or self.fingerprint

    def describe(self) -> DatasetInfo:
        """The content of a `dataset.json` for a folder with the same cohorts at this side."""
        cohorts = {
            name: msgspec.structs.replace(info, images_digest=self.images_digest(int(name)))
            for name, info in self._info.cohorts.items()
        }
        return msgspec.structs.replace(
            self._info.at_side(self.side),
            cohorts=cohorts,
            fingerprint=self.fingerprint,
            source=self.source,
        )

    def images_path(self, cohort: int) -> Path:
        """The file with the cohort's images, for as long as this data set is open."""
        return self._folder.place / self._names.images.format(cohort)

    def images(self, cohort: int) -> Images:
        """The cohort's images, memory-mapped: uint8 (rows, side, side, 3).

        Those of the 2017 pair are float64 in 0..1, which is what the others are divided by 255.
        """
        info = self._cohort(cohort)
        name = self._names.images.format(cohort)
        images = self._open(name)
        expected = (info.rows, self.side, self.side, 3)
        if images.shape != expected:
            raise UserError(
                f"{self.path / name}: has the shape {images.shape}, not {expected}; "
                "build the data again"
            )
        if self._has_digests and cohort not in self._checked_images:
            if digests.rows_digest(images) != info.images_digest:
                raise self._damaged(name)
            self._checked_images.add(cohort)
        return images

    def labels(self, cohort: int) -> Labels:
        """The cohort's labels, uint8 (rows, genres), 0 or 1."""
        if cohort not in self._labels:
            self._check_labels()
            rows = self._cohort(cohort).rows
            name = self._names.labels.format(cohort)
            path = self.path / name
            stored = self._open(name)
            if stored.shape != (rows, len(self.genres)):
                raise UserError(
                    f"{path}: has the shape {stored.shape}, not {(rows, len(self.genres))}; "
                    "labels and images must be of the same posters"
                )
            labels = np.asarray(stored).astype(np.uint8)
            if not np.array_equal(labels, stored) or labels.max(initial=0) > 1:
                raise UserError(f"{path}: holds labels other than 0 and 1")
            self._labels[cohort] = labels
        return self._labels[cohort]

    def ids(self, cohort: int) -> NDArray[np.int64]:
        """The posters' ids, int64 (rows,). The 2017 pair has none: there, the row's number."""
        rows = self._cohort(cohort).rows
        if not self._names.ids:
            return np.arange(rows, dtype=np.int64)
        name = self._names.ids.format(cohort)
        path = self.path / name
        ids = self._open(name)
        if ids.shape != (rows,):
            raise UserError(f"{path}: has {ids.shape} ids for {rows} images; build the data again")
        return np.asarray(ids, dtype=np.int64)

    def genre_labels(self, genre: str, cohorts: Iterable[int]) -> Labels:
        """One genre's labels, uint8 (rows,), of `cohorts` one after the other."""
        column = self.genre_index(genre)
        return np.concatenate(
            [self.labels(d)[:, column] for d in cohorts] or [np.empty(0, np.uint8)]
        )

    def genre_index(self, genre: str) -> int:
        """The genre's column in the labels. Raises `UserError` for one that is not there."""
        try:
            return self.genres.index(genre)
        except ValueError:
            genres = ", ".join(self.genres)
            raise UserError(f"{self.path}: no genre `{genre}`; there are {genres}") from None

    def posters(self, cohorts: Iterable[int]) -> int:
        """How many posters `cohorts` have together."""
        return sum(self._cohort(d).posters for d in cohorts)

    def base_rate(self, genre: str, cohorts: Iterable[int]) -> float:
        """The share of positives of `genre` in `cohorts` together; 0 where they are empty."""
        labels = self.genre_labels(genre, cohorts)
        return float(labels.mean()) if len(labels) else 0.0

    def rare_genres(self) -> tuple[str, ...]:
        """The genres whose base rate over all cohorts is below `DEFAULT_RARITY`."""
        return tuple(g for g in self.genres if self.base_rate(g, self.cohorts) < DEFAULT_RARITY)

    @property
    def _has_digests(self) -> bool:
        return self._info.source.get("digest") == digests.DIGEST

    def _check_labels(self) -> None:
        """Check labels and ids of all cohorts, once; a bundle on a cluster has not all of them."""
        if self._checked_labels:
            return
        self._checked_labels = True
        cohorts = []
        for digit in self.cohorts:
            names = self._names.labels.format(digit), self._names.ids.format(digit)
            if not all((self._folder.place / name).exists() for name in names):
                return
            labels, ids = map(self._open, names)
            info = self._cohort(digit)
            label_digest = digests.rows_digest(labels)
            own_ids = np.asarray(ids, dtype=np.int64)
            cohorts.append(digests.CohortDigests(digit, info.images_digest, label_digest, own_ids))
        fingerprint = digests.fingerprint(self.genres, self.side, cohorts)
        if fingerprint != self._info.fingerprint:
            raise self._damaged("labels or ids")

    def _open(self, name: str) -> NDArray[Any]:
        with self._folder.errors_explained():
            return open_array(self._folder.place / name)

    def _damaged(self, what: str) -> UserError:
        return UserError(
            f"{self.path / what}: not what was built (damaged, or changed since); "
            "build the data again"
        )

    def _cohort(self, cohort: int) -> CohortInfo:
        try:
            return self._info.cohorts[str(cohort)]
        except KeyError:
            cohorts = ", ".join(map(str, self.cohorts))
            raise UserError(f"{self.path}: no cohort {cohort}; there are {cohorts}") from None


class _FileNames(msgspec.Struct, frozen=True):
    """The names of a cohort's files, with a place for its digit; no `ids`, no such files."""

    images: str
    labels: str
    ids: str = ""


_BUILT = _FileNames("images-{}.npy", "labels-{}.npy", "ids-{}.npy")
_PAIR = _FileNames(pair_2017.IMAGES, pair_2017.LABELS)
