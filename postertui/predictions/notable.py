"""Which test posters to look at: the surest mistakes of both kinds, and the least sure ones."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from postertui.predictions.loading import RunPredictions

NotableKind = Literal["false positive", "false negative", "least sure"]

#: What each kind is, in words.
TITLES: dict[NotableKind, str] = {
    "false positive": "Surest false positives",
    "false negative": "Surest false negatives",
    "least sure": "Least sure",
}

#: Posters of each kind.
COUNT = 12


class NotablePoster(NamedTuple):
    """A test poster of one kind. `label` is whether it has the genre."""

    kind: NotableKind
    poster: int
    cohort: int
    label: bool
    probability: float


def notable_posters(run: RunPredictions, count: int = COUNT) -> list[NotablePoster]:
    """The surest mistakes and the least sure posters of a run's test cohort; none of a dead model.

    Surest are the false decisions that are farthest from the run's threshold, least sure the
    posters nearest to it. Of rows with one id the first counts: data of earlier versions may have
    had mirror images.

    Parameters
    ----------
    count
        The most of each kind, the most notable first.
    """
    if run.is_dead:
        return []
    test = run.test
    p = test.probabilities.astype(np.float64)
    decided, positive = p > run.threshold, test.labels == 1
    _, first = np.unique(test.ids, return_index=True)
    is_first = np.zeros(len(p), bool)
    is_first[first] = True

    def pick(
        kind: NotableKind, rows: NDArray[np.bool_], order: NDArray[np.float64]
    ) -> list[NotablePoster]:
        places = np.flatnonzero(rows & is_first)
        places = places[np.argsort(order[places], kind="stable")][:count]
        return [
            NotablePoster(
                kind, int(test.ids[i]), int(test.cohorts[i]), bool(positive[i]), float(p[i])
            )
            for i in places
        ]

    everything = np.ones(len(p), bool)
    return [
        *pick("false positive", decided & ~positive, -p),
        *pick("false negative", ~decided & positive, p),
        *pick("least sure", everything, np.abs(p - run.threshold)),
    ]
