"""Labels of the training and held-out cohorts: one genre's, or those of a group as columns."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from postertui.data.chosen_posters import ChosenPosters
from postertui.data.dataset import Dataset
from postertui.runs.spec import RunSpec
from postertui.system.errors import UserError
from postertui.training.epoch_schedule import EpochSchedule, schedule_evaluation
from postertui.training.inputs import Inputs, Rows

#: (n,) of one genre; (n, R) of R genres that are trained together.
Labels = NDArray[np.uint8]


class HeldOutCohort(NamedTuple):
    """Inputs and labels of the validation or test cohort, and its pass.

    Parameters
    ----------
    name
        Prefixes its columns.
    """

    name: Literal["val", "test"]
    x: Rows
    labels: Labels
    schedule: EpochSchedule


def load_labels(spec: RunSpec, inputs: Inputs) -> tuple[Labels, list[HeldOutCohort]]:
    """The labels in training, and the held-out cohorts, validation first.

    Raises `UserError` where a genre's training labels are constant, or a loss that decides
    something in training would be undefined.
    """
    dataset, posters, batch_size = inputs.dataset, inputs.posters, spec.variant.batch_size
    train = _labels(spec, posters, spec.train_cohorts)
    copies = 2 if spec.variant.needs_mirrored else 1
    check_rows("training", dataset, copies * len(train), inputs.train)
    cohorts = ", ".join(map(str, spec.train_cohorts))
    for genre, labels in _by_genre(spec, train):
        if not labels.any():
            raise UserError(
                f"{genre}: no positive poster in training (cohorts {cohorts}); train on more "
                "cohorts or leave the genre out"
            )
        if labels.all():
            raise UserError(
                f"{genre}: every poster in training (cohorts {cohorts}) is positive; train on "
                "more cohorts or leave the genre out"
            )
    held_out = []
    if inputs.validation is not None:
        val = _labels(spec, posters, spec.val_cohorts)
        check_rows("validation", dataset, len(val), inputs.validation)
        for genre, labels in _by_genre(spec, val):
            if spec.monitors_validation and not labels.any():
                cohorts = ", ".join(map(str, spec.val_cohorts))
                raise UserError(
                    f"{genre}: no positive poster in validation (cohorts {cohorts}), whose loss "
                    f"{spec.variant.name} monitors; validate on more cohorts"
                )
        schedule = schedule_evaluation(val, batch_size)
        held_out.append(HeldOutCohort("val", inputs.validation, val, schedule))
    test = _labels(spec, posters, spec.test_cohorts)
    check_rows("test", dataset, len(test), inputs.test)
    held_out.append(HeldOutCohort("test", inputs.test, test, schedule_evaluation(test, batch_size)))
    return train, held_out


def check_rows(name: str, dataset: Dataset, labels: int, rows: Rows) -> None:
    """Raise `UserError` unless there is one row per label, and at least one."""
    if labels != rows.shape[0]:
        raise UserError(
            f"{dataset.path}: {labels} labels for {rows.shape[0]} {name} images; "
            "build the data again"
        )
    if not labels:
        raise UserError(f"{dataset.path}: no poster in the {name} cohorts")


def _labels(spec: RunSpec, posters: ChosenPosters, cohorts: tuple[int, ...]) -> Labels:
    if not spec.group:
        return posters.genre_labels(spec.genre, cohorts)
    return np.stack([posters.genre_labels(genre, cohorts) for genre in spec.group], axis=1)


def _by_genre(spec: RunSpec, labels: Labels) -> list[tuple[str, Labels]]:
    columns = labels.reshape(len(labels), -1).T
    return list(zip(spec.group or (spec.genre,), columns, strict=True))
