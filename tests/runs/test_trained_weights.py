"""`weights.npz`: what was written is read back; damage and foreign files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from postertui.runs.trained_weights import WeightsInfo, read_weights, write_weights
from postertui.system.errors import UserError

ARRAYS = {
    "fc1/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fc1/bias": np.zeros(3, np.float32),
}


@pytest.fixture
def info(tmp_path: Path) -> WeightsInfo:
    return write_weights(tmp_path, "cafe", 7, ARRAYS)


def test_weights_come_back_in_order(tmp_path: Path, info: WeightsInfo) -> None:
    weights = read_weights(tmp_path, "cafe", info.digest)
    assert list(weights.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(weights.arrays[name], array)
    assert weights.epoch == info.epoch == 7
    assert info.bytes == (tmp_path / "weights.npz").stat().st_size


def test_weights_of_another_run_are_refused(tmp_path: Path, info: WeightsInfo) -> None:
    with pytest.raises(UserError, match="weights of another run"):
        read_weights(tmp_path, "beef", info.digest)


def test_a_changed_file_is_refused(tmp_path: Path, info: WeightsInfo) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="its digest differs"):
        read_weights(tmp_path, "cafe", info.digest)


def test_no_file_says_how_to_keep_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--keep-weights all") as caught:
        read_weights(tmp_path, "cafe", "")
    assert caught.value.exit_code == 3
