"""Digests of a data folder's arrays, which `dataset.json` records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: What `source.digest` of a description names these digests; others are not checked.
DIGEST = "sha256/128 of the rows"

#: How many bytes of an array are read at a time.
_BLOCK_BYTES = 16 << 20


class CohortDigests(NamedTuple):
    """What the fingerprint says of one cohort; `ids` are those of its posters."""

    digit: int
    images: str
    labels: str
    ids: NDArray[np.int64]


def rows_digest(rows: NDArray[Any]) -> str:
    """A digest of an array's rows, as a data folder's description records it of images."""
    digest = hashlib.sha256()
    row_bytes = max(1, rows.nbytes // max(1, len(rows)))
    step = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, len(rows), step):
        digest.update(np.ascontiguousarray(rows[start : start + step]).data)
    return digest.hexdigest()[:32]


def fingerprint(genres: tuple[str, ...], side: int, cohorts: Iterable[CohortDigests]) -> str:
    """A digest of a whole data folder: equal for equal images, labels, genres and ids."""
    # False: without mirror images, which earlier versions could add to a cohort.
    digest = hashlib.sha256(repr((genres, side, False)).encode())
    for cohort in cohorts:
        digest.update(f"{cohort.digit} {cohort.images} {cohort.labels} ".encode())
        digest.update(cohort.ids.tobytes())
    return digest.hexdigest()[:32]
