"""The predictions of many runs, split into the cohort that chooses and the one that evaluates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from postertui.predictions.columns import choose_threshold
from postertui.predictions.scores import PUBLISHED_THRESHOLD
from postertui.predictions.table import Predictions, read_predictions
from postertui.runs.run_names import run_folder
from postertui.runs.spec import RunSpec, read_spec
from postertui.system.errors import UserError


@dataclass(frozen=True, eq=False)
class RunPredictions:
    """One run's predictions. `validation` is None where the run had no validation cohort."""

    run: str
    variant: str
    genre: str
    seed: int
    validation: Predictions | None
    test: Predictions

    @property
    def test_cohorts(self) -> tuple[int, ...]:
        """The cohorts of the test posters, by which rotations differ."""
        return tuple(np.unique(self.test.cohorts).tolist())

    @property
    def is_dead(self) -> bool:
        """Whether a probability is NaN: then the model's weights are."""
        return bool(np.isnan(self.test.probabilities).any())

    @cached_property
    def chosen_threshold(self) -> float | None:
        """The threshold with the best F on validation; None without one."""
        if self.validation is None:
            return None
        threshold = choose_threshold(self.validation.labels, self.validation.probabilities)
        return None if np.isnan(threshold) else threshold

    @property
    def threshold(self) -> float:
        """The chosen threshold, or .5 as published."""
        chosen = self.chosen_threshold
        return PUBLISHED_THRESHOLD if chosen is None else chosen


def load_run(runs_folder: Path, run: str) -> RunPredictions:
    """The predictions of the run of that name.

    Raises
    ------
    UserError
        As `read_predictions`; also where there is no such run (exit code 3), and where no
        prediction is of a test poster of the run.
    """
    folder = run_folder(runs_folder, run)
    if not folder.is_dir():
        raise UserError(
            f"run {run}: there is none in {runs_folder}; `postertui runs` lists the runs",
            exit_code=3,
        )
    return split_cohorts(run, read_spec(folder), read_predictions(folder))


def split_cohorts(run: str, spec: RunSpec, predictions: Predictions) -> RunPredictions:
    """Test posters are those of the spec's test cohorts; all others of the table validate."""
    test = predictions.of_cohorts(spec.test_cohorts)
    if not len(test):
        cohorts = ", ".join(map(str, spec.test_cohorts))
        raise UserError(
            f"{run}: its predictions are of other posters than the run's test cohorts ({cohorts}); "
            "delete them and train the run again"
        )
    rest = set(np.unique(predictions.cohorts).tolist()) - set(spec.test_cohorts)
    validation = predictions.of_cohorts(rest) if rest else None
    return RunPredictions(run, spec.variant.name, spec.genre, spec.seed, validation, test)


def load_runs(runs_folder: Path, runs: Iterable[str]) -> tuple[list[RunPredictions], list[str]]:
    """The predictions of the named runs, and the names of the runs that have none.

    Raises
    ------
    UserError
        Where a run's predictions are damaged.
    """
    loaded, without = [], []
    for run in runs:
        try:
            loaded.append(load_run(runs_folder, run))
        except UserError as error:
            if error.exit_code != 3:
                raise
            without.append(run)
    return loaded, without
