"""The posters of a data folder that a run takes: all, or those with details."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postertui.data.dataset import Dataset, Labels


class ChosenPosters:
    """The posters of `dataset`, with `with_details` those that have details.

    Labels and ids are of the chosen posters, cohort after cohort.
    """

    def __init__(self, dataset: Dataset, *, with_details: bool = False) -> None:
        self.dataset = dataset
        self._with_details = with_details

    def rows(self, cohorts: Iterable[int]) -> NDArray[np.int64] | None:
        """The numbers of the chosen rows among those of `cohorts`; None for all of them."""
        if not self._with_details:
            return None
        return np.flatnonzero(self.dataset.details().has(self._ids(cohorts)))

    def ids(self, cohorts: Iterable[int]) -> NDArray[np.int64]:
        """The posters' ids (n,)."""
        return self._choose(self._ids(cohorts), cohorts)

    def genre_labels(self, genre: str, cohorts: Iterable[int]) -> Labels:
        """One genre's labels, uint8 (n,)."""
        return self._choose(self.dataset.genre_labels(genre, cohorts), cohorts)

    def base_rate(self, genre: str, cohorts: Iterable[int]) -> float:
        """The share of positives; 0 where there is no poster."""
        labels = self.genre_labels(genre, cohorts)
        return float(labels.mean()) if len(labels) else 0.0

    def _ids(self, cohorts: Iterable[int]) -> NDArray[np.int64]:
        return np.concatenate([self.dataset.ids(d) for d in cohorts] or [np.empty(0, np.int64)])

    def _choose(self, values: NDArray[Any], cohorts: Iterable[int]) -> NDArray[Any]:
        rows = self.rows(cohorts)
        return values if rows is None else values[rows]
