"""Runs on posters of a further side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postertui.data.dataset import Dataset
from postertui.data.posters import build_dataset
from postertui.data.synthetic import make_posters
from postertui.training.trainer import Trainer
from tests.support.training_data import make_spec, without_time


@pytest.mark.slow
def test_a_further_side_trains_as_a_folder_of_it_alone_at_once_or_in_blocks(tmp_path: Path) -> None:
    made = make_posters(tmp_path / "posters", 40)
    build_dataset(made.posters, made.labels, tmp_path / "both", sides=(8, 12))
    build_dataset(made.posters, made.labels, tmp_path / "large", sides=(12,))
    shared: dict[str, Any] = {
        "epochs": 1,
        "batch_size": 16,
        "network": "scratch",
        "fc1": 2,
        "fc2": 4,
    }
    large = make_spec(Dataset.open(tmp_path / "large"), **shared)
    [expected] = Trainer().epochs(large)
    further = make_spec(Dataset.open(tmp_path / "both", 12), side=12, **shared)
    for max_input_bytes in (None, 1):
        [epoch] = Trainer(max_input_bytes=max_input_bytes).epochs(further)
        assert without_time(epoch.metrics) == without_time(expected.metrics)
