"""The folder name of cached features, computed without TensorFlow."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from postertui.data.weights import Weights

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset

#: The folder of cached features in a data folder.
FEATURES = "features"

#: Conversion of pixels to inputs; part of the key.
PREPROCESSING = "rgb/255"


def feature_key(
    dataset: Dataset,
    weights: Weights,
    first: int,
    *,
    network: str = "vgg16",
    mirrored: bool = False,
) -> str:
    """A digest of what a cache of features depends on: weights, images, their side and scaling.

    Parameters
    ----------
    first
        The number of the first layer whose output is not cached.
    network
        The backbone, by which pixels are scaled.
    mirrored
        Whether the mirrored posters' features are in it, too.
    """
    images = [dataset.images_digest(d) for d in dataset.cohorts]
    preprocessing = PREPROCESSING if network == "vgg16" else f"keras {network}"
    parts = (weights.digest, dataset.side, preprocessing, first, images)
    identity = repr((*parts, "mirrored") if mirrored else parts)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
