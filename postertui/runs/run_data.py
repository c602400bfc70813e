"""The posters that a run trains on."""

from __future__ import annotations

from pathlib import Path

from postertui.data.dataset import Dataset
from postertui.runs.spec import RunSpec
from postertui.system.errors import UserError


def open_run_data(spec: RunSpec) -> Dataset:
    """The run's data folder, at the run's side.

    A run that names no side has what was the folder's first one when it was queued.

    Raises
    ------
    UserError
        Where the folder or the side is gone, or the posters have changed since.
    """
    dataset = Dataset.open(Path(spec.data), spec.variant.side)
    if not _has_details_of(spec, dataset):
        raise _changed(spec)
    if spec.variant.side == 0:
        for side in dataset.sides:
            if dataset.at_side(side).fingerprint == spec.data_fingerprint:
                return dataset.at_side(side)
    elif dataset.fingerprint == spec.data_fingerprint:
        return dataset
    raise _changed(spec)


def _has_details_of(spec: RunSpec, dataset: Dataset) -> bool:
    """Whether the folder's details are those that the run needs, if it needs any."""
    info = dataset.details_info
    return not spec.details_digest or (info is not None and info.digest == spec.details_digest)


def _changed(spec: RunSpec) -> UserError:
    return UserError(f"{spec.data}: the data has changed since this run was queued; queue it again")
