"""Which cohorts train, validate and test, and how the roles move on in a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postertui.study import Study, overlapping_cohorts
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset

#: Training, test and validation cohorts.
Roles = tuple[tuple[int, ...], ...]


def choose_roles(
    study: Study,
    dataset: Dataset,
    train_cohorts: Sequence[int] | None = None,
    test_cohorts: Sequence[int] | None = None,
    val_cohorts: Sequence[int] | None = None,
) -> tuple[Roles, tuple[str, ...]]:
    """The cohorts of each role: the given ones, else the study's; and notes on those not usable.

    Validation cohorts of the study, unlike given ones, give way to the other roles and to what the
    data has.

    Parameters
    ----------
    train_cohorts, test_cohorts, val_cohorts
        Those given; None for the study's.

    Raises
    ------
    UserError
        For a cohort that the data lacks, or that has two roles.
    """
    train = tuple(study.train_cohorts if train_cohorts is None else train_cohorts)
    test = tuple(study.test_cohorts if test_cohorts is None else test_cohorts)
    validation, notes = _validation_cohorts(study, dataset, train, test, val_cohorts)
    _check_cohorts(dataset, train, test, validation)
    return (train, test, validation), notes


def rotate_cohorts(roles: Roles, cohorts: Sequence[int], rotations: int) -> list[Roles]:
    """The cohorts of each role in each rotation, the first as given.

    Each rotation moves every role on to the next of the data's `cohorts`, after the last the
    first: train 0, validate 1, test 2 becomes train 1, validate 2, test 3. Raises `UserError` for
    more rotations than there are cohorts.
    """
    if rotations > len(cohorts):
        raise UserError(
            f"{rotations} rotations of {len(cohorts)} cohorts: there are no more than cohorts "
            "(--rotations)"
        )
    place = {cohort: i for i, cohort in enumerate(cohorts)}
    return [
        tuple(
            tuple(sorted(cohorts[(place[digit] + step) % len(cohorts)] for digit in role))
            if step
            else role
            for role in roles
        )
        for step in range(rotations)
    ]


def _validation_cohorts(
    study: Study,
    dataset: Dataset,
    train: tuple[int, ...],
    test: tuple[int, ...],
    requested: Sequence[int] | None,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The validation cohorts, and a note where the study's own cannot be used.

    Requested ones are returned as they are; the study's give way to other cohorts and to the data.
    """
    if requested is not None:
        return tuple(requested), ()
    usable = [d for d in study.val_cohorts if d not in (*train, *test) and d in dataset.cohorts]
    unusable = [d for d in study.val_cohorts if d not in usable]
    if not unusable:
        return tuple(usable), ()
    reasons = [
        f"cohort {d} is used for training or testing"
        if d in dataset.cohorts
        else f"the data has no cohort {d}"
        for d in unusable
    ]
    remaining = f"cohorts {', '.join(map(str, usable))}" if usable else "no cohort"
    return tuple(usable), (f"Validating on {remaining}: {'; '.join(reasons)}.",)


def _check_cohorts(dataset: Dataset, *groups: tuple[int, ...]) -> None:
    """Raise `UserError` for cohorts that the data lacks, or that are in more than one group."""
    options = "--train-cohorts, --test-cohorts, --val-cohorts"
    for cohort in (d for group in groups for d in group):
        if cohort not in dataset.cohorts:
            available = ", ".join(map(str, dataset.cohorts))
            raise UserError(
                f"{dataset.path}: no cohort {cohort}; there are {available} ({options})"
            )
    if overlap := overlapping_cohorts(*groups):
        digits = ", ".join(map(str, overlap))
        raise UserError(f"cohort {digits} is in more than one of {options}; take it out of one")
