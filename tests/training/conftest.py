"""TensorFlow for the tests of training: one thread, quiet, loaded once per process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset
    from postertui.training.trainer import Trainer

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

pytest.importorskip("tensorflow")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Cohorts of 300 and 200 posters, their features there already.

    Rare has two positives in each, Nothing none to train on, Everything nothing else.
    """
    from tests.support.training_data import fill_features, make_dataset

    dataset = make_dataset(
        tmp_path_factory.mktemp("made") / "data",
        rows={0: 300, 2: 200},
        positives={
            "Comedy": {0: 100, 2: 60},
            "Drama": {0: 150, 2: 100},
            "Rare": {0: 2, 2: 2},
            "Nothing": {0: 0, 2: 3},
            "Everything": {0: 300, 2: 200},
        },
    )
    fill_features(dataset)
    return dataset


@pytest.fixture(scope="session")
def warm() -> Trainer:
    """A trainer as a job has it, warm from test to test."""
    from postertui.training.trainer import Trainer

    return Trainer()


@pytest.fixture(scope="module")
def own_trainer() -> Trainer:
    """A trainer for one file: made-up data sets share a fingerprint, by which inputs are kept."""
    from postertui.training.trainer import Trainer

    return Trainer()
