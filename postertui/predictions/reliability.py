"""Reliability: of the posters given probability p, how many are positive?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postertui.predictions.ranking import Vector, as_vectors

BINS = 10


class Reliability(NamedTuple):
    """The posters by probability in bins of equal width, empty bins left out; each (k,).

    `predicted` is the mean probability in a bin, `observed` the share of positives in it, `posters`
    how many it holds.
    """

    predicted: Vector
    observed: Vector
    posters: NDArray[np.int64]


def reliability(labels: ArrayLike, probabilities: ArrayLike) -> Reliability:
    """The reliability diagram's points, as scikit-learn's `calibration_curve` has them.

    Parameters
    ----------
    labels
        (n,) 0 and 1.
    probabilities
        (n,) between 0 and 1; one on the edge of two bins belongs to the lower one.
    """
    positive, p = as_vectors(labels, probabilities)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    number = np.searchsorted(edges[1:-1], p)
    posters = np.bincount(number, minlength=BINS)
    filled = posters > 0
    predicted = np.bincount(number, weights=p, minlength=BINS)[filled] / posters[filled]
    observed = np.bincount(number, weights=positive, minlength=BINS)[filled] / posters[filled]
    return Reliability(predicted, observed, posters[filled].astype(np.int64))
