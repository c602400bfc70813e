"""McNemar's test: do two models of one genre err on the same posters?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from postertui.predictions.loading import RunPredictions
from postertui.predictions.out_of_fold import merge_unseen
from postertui.predictions.scores import PUBLISHED_THRESHOLD
from postertui.predictions.table import Predictions


@dataclass(frozen=True)
class McNemar:
    """Two models' decisions on the same posters: how often only one of them is right.

    `p` is exact and two-sided (Q. McNemar, Psychometrika 12, 1947, as a binomial test).
    `posters` have a decision by both models, each of which took its part in `rotations`.
    """

    only_first: int
    only_second: int
    p: float
    posters: int = 0
    rotations: int = 1


def mcnemar(a: Predictions, b: Predictions, rotations: int = 1) -> McNemar:
    """McNemar's test of two models of one genre, on the posters that both have."""
    from scipy.special import bdtr

    _, in_a, in_b = np.intersect1d(a.ids, b.ids, return_indices=True)
    right_a = (a.probabilities >= PUBLISHED_THRESHOLD)[in_a] == a.labels[in_a].astype(bool)
    right_b = (b.probabilities >= PUBLISHED_THRESHOLD)[in_b] == b.labels[in_b].astype(bool)
    first, second = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    total = first + second
    p = 1.0 if total == 0 else min(1.0, 2 * float(bdtr(min(first, second), total, 0.5)))
    return McNemar(first, second, p, in_a.size, rotations)


def mcnemar_by_genre(
    runs: Sequence[RunPredictions], reference: str
) -> dict[tuple[str, str], McNemar]:
    """McNemar's test of each variant against `reference`.

    Parameters
    ----------
    runs
        Runs with their predictions. Dead models take no part.
    reference
        A variant's name.

    Returns
    -------
    dict
        By (name, genre).

    Notes
    -----
    Of each rotation that both have, the runs of the lowest common seed take part. A poster's
    decision is by the mean of its probabilities over the rotations that tested on it, and counts
    once: its models never saw it.
    """
    by_seed: dict[tuple[str, str], dict[tuple[int, ...], dict[int, Predictions]]] = {}
    for run in runs:
        if not run.is_dead:
            rotations = by_seed.setdefault((run.variant, run.genre), {})
            rotations.setdefault(run.test_cohorts, {}).setdefault(run.seed, run.test)
    tests = {}
    for (name, genre), own in sorted(by_seed.items()):
        other = by_seed.get((reference, genre), {})
        if name == reference:
            continue
        pairs = []
        for cohorts in sorted(own.keys() & other.keys()):
            common = own[cohorts].keys() & other[cohorts].keys()
            if common:
                pairs.append((own[cohorts][min(common)], other[cohorts][min(common)]))
        if pairs:
            first, second = (merge_unseen(parts) for parts in zip(*pairs, strict=True))
            tests[name, genre] = mcnemar(first, second, len(pairs))
    return tests
