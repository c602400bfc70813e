"""Posters and their labels on disk, by cohort: the last digit of a poster's id.

A data folder as `postertui data build` makes it:

    dataset.json   genres in order, image side, posters per cohort, digests, where they came from
    images-<d>.npy uint8 (n, side, side, 3), memory-mapped
    labels-<d>.npy uint8 (n, genres), 0 or 1
    ids-<d>.npy    int64 (n,), ascending

Built with `--mirror`, a cohort's mirrored copies follow its posters, in the same order and under
the same ids: rows 0 to n-1 are the posters, rows n to 2n-1 their mirror images.

A folder with the pair of 2017, `img_rgb_color_<d>x.npy` (float64 in 0..1) and
`genre_cohorts_<d>x.npy` (n, genres), is read as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.published.facts import GENRES
from postertui.system.errors import UserError

Labels = NDArray[np.uint8]
Images = NDArray[Any]

DATASET_FORMAT = 1

#: Below this share of positives a batch of 256 is often without any, and a model soon dead.
RARE = 0.03

_PAIR_IMAGES = re.compile(r"img_rgb_color_(\d)x\.npy")
_FINGERPRINT_CACHE = ".fingerprint.json"


class CohortInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `dataset.json` says of one cohort. `rows` counts mirrored copies, `posters` does not."""

    posters: int
    rows: int
    images_digest: str


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `dataset.json`."""

    format: int = DATASET_FORMAT
    genres: tuple[str, ...]
    side: int
    mirror: bool = False
    cohorts: dict[str, CohortInfo]
    fingerprint: str
    source: dict[str, str] = {}


class Dataset:
    """The cohorts of one data folder. Images stay on disk; labels are read when asked for.

    `path` the folder, `genres` their names in the labels' order, `side` of an image in pixels,
    `cohorts` the digits there are, `mirror` whether mirrored copies follow each cohort's posters.
    """

    def __init__(self, path: Path, info: DatasetInfo, names: _FileNames) -> None:
        self.path = path
        self.genres = info.genres
        self.side = info.side
        self.mirror = info.mirror
        self.cohorts = tuple(sorted(int(d) for d in info.cohorts))
        self.source = info.source
        self._info = info
        self._names = names
        self._labels: dict[int, Labels] = {}
        self._fingerprint = info.fingerprint

    @classmethod
    def open(cls, path: Path) -> Dataset:
        """The data folder at `path`.

        Raises `UserError` where there is none, or its files are damaged or do not fit each other.
        """
        if (path / "dataset.json").is_file():
            return _open_built(path)
        if not path.is_dir():
            raise UserError(f"{path}: no such data folder; `postertui data build` makes one")
        return _open_pair(path)

    @property
    def fingerprint(self) -> str:
        """A digest of all images, labels, genres and ids: equal for equal content."""
        if not self._fingerprint:
            self._fingerprint = _pair_fingerprint(self)
        return self._fingerprint

    def images_digest(self, cohort: int) -> str:
        """A digest of one cohort's images alone, for what depends on nothing else."""
        info = self._cohort(cohort)
        return info.images_digest or self.fingerprint

    def describe(self) -> DatasetInfo:
        """The content of a `dataset.json` for a folder with the same cohorts."""
        cohorts = {
            name: msgspec.structs.replace(info, images_digest=self.images_digest(int(name)))
            for name, info in self._info.cohorts.items()
        }
        return msgspec.structs.replace(
            self._info, cohorts=cohorts, fingerprint=self.fingerprint, source=self.source
        )

    def images_path(self, cohort: int) -> Path:
        """The file with the cohort's images."""
        return self.path / self._names.images.format(cohort)

    def images(self, cohort: int) -> Images:
        """The cohort's images, memory-mapped: uint8 (rows, side, side, 3).

        Those of the 2017 pair are float64 in 0..1, which is what the others are divided by 255.
        """
        rows = self._cohort(cohort).rows
        path = self.images_path(cohort)
        images = _map(path)
        if images.shape != (rows, self.side, self.side, 3):
            raise UserError(
                f"{path}: has the shape {images.shape}, not {(rows, self.side, self.side, 3)}; "
                "build the data again"
            )
        return images

    def labels(self, cohort: int) -> Labels:
        """The cohort's labels, uint8 (rows, genres), 0 or 1."""
        if cohort not in self._labels:
            rows = self._cohort(cohort).rows
            path = self.path / self._names.labels.format(cohort)
            stored = _map(path)
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
        path = self.path / self._names.ids.format(cohort)
        ids = _map(path)
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
            there = ", ".join(self.genres)
            raise UserError(f"{self.path}: no genre `{genre}`; there are {there}") from None

    def rows(self, cohorts: Iterable[int]) -> int:
        """How many rows of images `cohorts` have together, mirrored copies included."""
        return sum(self._cohort(d).rows for d in cohorts)

    def posters(self, cohorts: Iterable[int]) -> int:
        """How many posters `cohorts` have together, mirrored copies not counted."""
        return sum(self._cohort(d).posters for d in cohorts)

    def base_rate(self, genre: str, cohorts: Iterable[int]) -> float:
        """The share of positives of `genre` in `cohorts` together; 0 where they are empty."""
        labels = self.genre_labels(genre, cohorts)
        return float(labels.mean()) if len(labels) else 0.0

    def rare_genres(
        self, threshold: float = RARE, cohorts: Iterable[int] | None = None
    ) -> tuple[str, ...]:
        """The genres whose base rate in `cohorts` (default: all) is below `threshold`."""
        chosen = self.cohorts if cohorts is None else tuple(cohorts)
        return tuple(g for g in self.genres if self.base_rate(g, chosen) < threshold)

    def _cohort(self, cohort: int) -> CohortInfo:
        try:
            return self._info.cohorts[str(cohort)]
        except KeyError:
            there = ", ".join(map(str, self.cohorts))
            raise UserError(f"{self.path}: no cohort {cohort}; there are {there}") from None


def always_yes_f(base_rate: float) -> float:
    """2m/(1+m), the F-score of a dummy that always says yes at base rate m."""
    return 2 * base_rate / (1 + base_rate)


class _FileNames(msgspec.Struct, frozen=True):
    images: str
    labels: str
    ids: str


_BUILT = _FileNames("images-{}.npy", "labels-{}.npy", "ids-{}.npy")
_PAIR = _FileNames("img_rgb_color_{}x.npy", "genre_cohorts_{}x.npy", "")


def _open_built(path: Path) -> Dataset:
    file = path / "dataset.json"
    try:
        info = msgspec.json.decode(file.read_bytes(), type=DatasetInfo)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not a data set's description: {error}") from None
    if info.format > DATASET_FORMAT:
        raise UserError(f"{file}: written by a newer postertui (format {info.format}); upgrade")
    if not all(re.fullmatch(r"\d", d) for d in info.cohorts):
        raise UserError(f"{file}: a cohort is a digit, not {', '.join(info.cohorts)}")
    return Dataset(path, info, _BUILT)


def _open_pair(path: Path) -> Dataset:
    try:
        names = sorted(p.name for p in path.iterdir())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    digits = [m[1] for name in names if (m := _PAIR_IMAGES.fullmatch(name))]
    if not digits:
        raise UserError(
            f"{path}: neither dataset.json nor img_rgb_color_<d>x.npy is in this folder; "
            "`postertui data build` makes one"
        )
    cohorts: dict[str, CohortInfo] = {}
    shapes = set()
    for digit in digits:
        images = _map(path / _PAIR.images.format(digit))
        labels = _map(path / _PAIR.labels.format(digit))
        file = path / _PAIR.images.format(digit)
        if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3:
            raise UserError(f"{file}: has the shape {images.shape}, not (n, side, side, 3)")
        if labels.ndim != 2 or len(labels) != len(images):
            raise UserError(
                f"{path / _PAIR.labels.format(digit)}: has the shape {labels.shape}, "
                f"not ({len(images)}, genres)"
            )
        shapes.add((images.shape[1], labels.shape[1]))
        cohorts[digit] = CohortInfo(len(images), len(images), "")
    if len(shapes) > 1:
        raise UserError(f"{path}: its cohorts differ in image side or number of genres")
    [(side, count)] = shapes
    genres = GENRES if count == len(GENRES) else tuple(f"genre {i}" for i in range(count))
    info = DatasetInfo(genres=genres, side=side, cohorts=cohorts, fingerprint="")
    return Dataset(path, info, _PAIR)


def _map(path: Path) -> NDArray[Any]:
    """The array in `path`, memory-mapped. Never unpickles."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; build the data again") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except (ValueError, EOFError, SyntaxError, TypeError):
        raise UserError(f"{path}: not a whole .npy file; build the data again") from None


def _pair_fingerprint(dataset: Dataset) -> str:
    """The digest of a 2017 pair's files, remembered beside them where that folder can be written.

    Reading gigabytes again on every start would cost more than the training that follows.
    """
    files = [
        dataset.path / name.format(d)
        for d in dataset.cohorts
        for name in (_PAIR.images, _PAIR.labels)
    ]
    stamp = [f"{f.name} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files]
    cache = dataset.path / _FINGERPRINT_CACHE
    try:
        known = msgspec.json.decode(cache.read_bytes(), type=dict[str, Any])
        if known.get("stamp") == stamp and isinstance(known.get("fingerprint"), str):
            return str(known["fingerprint"])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        pass
    digest = hashlib.sha256(repr((dataset.genres, dataset.side)).encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    fingerprint = digest.hexdigest()[:32]
    draft = cache.with_name(f"{cache.name}.{os.getpid()}")
    try:
        draft.write_bytes(msgspec.json.encode({"stamp": stamp, "fingerprint": fingerprint}))
        draft.replace(cache)
    except OSError:
        draft.unlink(missing_ok=True)
    return fingerprint
