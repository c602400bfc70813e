"""What is fitted on a run's training cohorts before it trains.

These are its details' encoders, and the mean and variance of its poster features. They are kept as
JSON in the run's `weights.npz`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from postertui.data.details.encoding import DetailsEncoder
from postertui.data.details.table import ID, Details
from postertui.data.posters.details import read_details_of_kinds
from postertui.predictions.inference import ModelRequest
from postertui.runs.pruning import HOW_TO_RESTORE
from postertui.runs.trained_weights import TrainedWeights
from postertui.system.errors import UserError


class FeatureScale(msgspec.Struct, frozen=True):
    """Mean and variance of each of the backbone's pooled features; 1 for a constant one."""

    mean: tuple[float, ...]
    variance: tuple[float, ...]


class InputEncoding(msgspec.Struct, frozen=True):
    """How posters and details become a network's inputs; no `features` for details alone."""

    details: DetailsEncoder
    features: FeatureScale | None = None


class JoinedShape(NamedTuple):
    """What rows of posters and details consist of.

    `poster` is the shape of a poster's inputs, None for details alone; `details` their width.
    """

    poster: tuple[int, ...] | None
    details: int
    features: FeatureScale | None

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return (0 if self.poster is None else math.prod(self.poster)) + self.details


def joined_shape(encoding: InputEncoding, poster: tuple[int, ...]) -> JoinedShape:
    """The shape of rows whose poster part has the shape `poster`."""
    is_joined = encoding.features is not None
    return JoinedShape(poster if is_joined else None, encoding.details.width, encoding.features)


def join(posters: NDArray[Any], details: NDArray[np.float32]) -> NDArray[np.float32]:
    """Posters' inputs (n, …) and details (n, width) as one row for each poster."""
    from postertui.training.features import scale_pixels

    flat = scale_pixels(posters).reshape(len(posters), -1)
    return np.concatenate([flat, details], axis=1)


def fit_scale(features: NDArray[np.floating]) -> FeatureScale:
    """The mean and variance of each feature over n posters, (n, units)."""
    mean = features.mean(axis=0, dtype=np.float64)
    variance = features.var(axis=0, dtype=np.float64)
    return FeatureScale(tuple(mean.tolist()), tuple(np.where(variance > 0, variance, 1).tolist()))


def read_encoding(trained: TrainedWeights, model: ModelRequest) -> InputEncoding | None:
    """The encoding kept with a run's weights; None for one that takes posters alone.

    Raises `UserError` where it is missing or damaged.
    """
    variant = model.spec.variant
    if variant.inputs == "poster" and variant.model == "network":
        return None
    try:
        return msgspec.json.decode(trained.encoding, type=InputEncoding)
    except msgspec.MsgspecError as error:
        raise UserError(
            f"{model.folder}: weights without the encoding of their details ({error}); "
            f"{HOW_TO_RESTORE}"
        ) from None


class PosterDetails:
    """A user's table of details of some posters, read once for each set of columns.

    Raises `UserError` for a table that cannot be read, or that has none of the posters.
    """

    def __init__(self, path: Path, posters: Sequence[int | None]) -> None:
        self._path = path
        self._posters = posters
        self._tables: dict[DetailsEncoder, Details] = {}

    def encode(self, encoder: DetailsEncoder, ids: Sequence[int | None]) -> NDArray[np.float32]:
        """The details of posters with these ids, (n, width); all missing without an id."""
        if encoder not in self._tables:
            table = read_details_of_kinds(self._path, encoder.kinds)
            if not set(self._posters) & set(table.frame[ID].to_list()):
                raise UserError(
                    f"{self._path}: has none of the {len(self._posters)} posters; an image's id is "
                    "the number in its file's name"
                )
            self._tables[encoder] = table
        numbers = np.array([-1 if i is None else i for i in ids], np.int64)
        return encoder.encode(self._tables[encoder], numbers)
