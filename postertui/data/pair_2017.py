"""The data folder of the 2017 scripts: a pair of arrays per cohort and no description.

`img_rgb_color_<d>x.npy` float64 in 0..1 (n, side, side, 3), `genre_cohorts_<d>x.npy` (n, genres).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from postertui.data.arrays import open_array
from postertui.data.description import CohortInfo, DatasetInfo
from postertui.published.facts import GENRES
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError

IMAGES = "img_rgb_color_{}x.npy"
LABELS = "genre_cohorts_{}x.npy"

_IMAGES_NAME = re.compile(r"img_rgb_color_(\d)x\.npy")
_FINGERPRINT_CACHE = ".fingerprint.json"


class _CachedFingerprint(msgspec.Struct):
    """A fingerprint, and the names, sizes and times of the files that it is of."""

    stamp: list[str]
    fingerprint: str


def describe_pair(folder: Path) -> DatasetInfo:
    """The folder's description, without digests.

    Raises `UserError` where it holds no pair, or arrays that do not fit each other.
    """
    try:
        names = sorted(p.name for p in folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None
    digits = [m[1] for name in names if (m := _IMAGES_NAME.fullmatch(name))]
    if not digits:
        raise UserError(
            f"{folder}: neither dataset.json nor img_rgb_color_<d>x.npy is in this folder; "
            "`postertui data build` makes one"
        )
    cohorts: dict[str, CohortInfo] = {}
    shapes = set()
    for digit in digits:
        images_file, labels_file = folder / IMAGES.format(digit), folder / LABELS.format(digit)
        images, labels = open_array(images_file), open_array(labels_file)
        if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3:
            raise UserError(f"{images_file}: has the shape {images.shape}, not (n, side, side, 3)")
        if labels.ndim != 2 or len(labels) != len(images):
            raise UserError(
                f"{labels_file}: has the shape {labels.shape}, not ({len(images)}, genres)"
            )
        shapes.add((images.shape[1], labels.shape[1]))
        cohorts[digit] = CohortInfo(len(images), len(images), "")
    if len(shapes) > 1:
        raise UserError(f"{folder}: its cohorts differ in image side or number of genres")
    [(side, count)] = shapes
    genres = GENRES if count == len(GENRES) else tuple(f"genre {i}" for i in range(count))
    return DatasetInfo(genres=genres, side=side, cohorts=cohorts, fingerprint="")


def pair_fingerprint(folder: Path, cohorts: Sequence[int], info: DatasetInfo) -> str:
    """A digest of the pair's files, kept beside them where the folder can be written.

    Reading gigabytes again on every start would cost more than the training that follows.
    """
    files = [folder / name.format(d) for d in cohorts for name in (IMAGES, LABELS)]
    stamp = [f"{f.name} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files]
    cache = folder / _FINGERPRINT_CACHE
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        cached = msgspec.json.decode(cache.read_bytes(), type=_CachedFingerprint)
        if cached.stamp == stamp:
            return cached.fingerprint
    digest = hashlib.sha256(repr((info.genres, info.side)).encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    fingerprint = digest.hexdigest()[:32]
    with suppress(OSError):
        write_atomic(cache, msgspec.json.encode(_CachedFingerprint(stamp, fingerprint)))
    return fingerprint
