"""A prediction for every poster by models that never saw it, from runs on rotated cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from postertui.predictions.loading import RunPredictions
from postertui.predictions.table import Predictions


def merge_unseen(parts: Sequence[Predictions]) -> Predictions:
    """The mean probability of each poster over the runs that tested on it.

    Parameters
    ----------
    parts
        The test posters' predictions of runs of one setting, over seeds and rotations
        (`Predictions.of_cohorts` of each run's test cohorts).

    Returns
    -------
    Predictions
        One row per poster, by id.
    """
    ids = np.concatenate([part.ids for part in parts]) if parts else np.empty(0, np.int64)
    unique, first, places = np.unique(ids, return_index=True, return_inverse=True)
    probabilities = np.concatenate([p.probabilities for p in parts]) if parts else np.empty(0)
    counts = np.bincount(places, minlength=unique.size)
    sums = np.bincount(places, weights=probabilities, minlength=unique.size)
    cohorts = np.concatenate([p.cohorts for p in parts]) if parts else np.empty(0, np.uint8)
    labels = np.concatenate([p.labels for p in parts]) if parts else np.empty(0, np.uint8)
    means = (sums / np.maximum(counts, 1)).astype(np.float32)
    return Predictions(unique, cohorts[first], labels[first], means)


def merge_runs(runs: Sequence[RunPredictions]) -> RunPredictions:
    """Runs of one setting, over rotations and seeds, as one that has never seen its posters.

    The name and seed are those of the first run. Its threshold is chosen on the posters that any of
    the runs validated on, where all have a validation cohort. Dead models have no part.

    Raises
    ------
    ValueError
        For no run, or runs of several variants or genres.
    """
    if len({(run.variant, run.genre) for run in runs}) != 1:
        raise ValueError("runs of one variant and genre are merged")
    alive = [run for run in runs if not run.is_dead] or runs[:1]
    if len(alive) == 1:
        return alive[0]
    validations = [run.validation for run in alive if run.validation is not None]
    return replace(
        alive[0],
        validation=merge_unseen(validations) if len(validations) == len(alive) else None,
        test=merge_unseen([run.test for run in alive]),
    )
