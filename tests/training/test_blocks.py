"""Inputs that do not fit on the device: the same history, to the bit, block by block."""

from __future__ import annotations

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.training import blocks
from postertui.training.blocks import HostRows
from postertui.training.inputs import InputStore
from postertui.training.trainer import Trainer, ignore_progress
from tests.support.training_data import make_spec, without_time


def test_rows_of_several_arrays_are_taken_by_their_number() -> None:
    parts = [np.arange(6.0).reshape(3, 2), np.arange(10.0, 14.0).reshape(2, 2)]
    rows = HostRows(parts)
    assert rows.shape == (5, 2)
    assert rows.row_bytes == 8
    taken = rows.take(np.array([4, 0, 3, 3, 2], np.int32))
    assert taken.dtype == np.float32
    assert taken.tolist() == [[12, 13], [0, 1], [10, 11], [10, 11], [4, 5]]
    assert np.array_equal(rows.whole(), rows.take(np.arange(5, dtype=np.int32)))
    pixels = HostRows([np.full((2, 3), 7, np.uint8)])
    assert pixels.take(np.array([1], np.int32)).dtype == np.uint8
    assert pixels.row_bytes == 3


@pytest.mark.slow
def test_a_run_in_blocks_has_the_history_of_a_run_at_once(
    data: Dataset, warm: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(data, epochs=3, batch_size=64)
    at_once = [without_time(e.metrics) for e in warm.epochs(spec)]
    # Two batches of 64 rows of 512 floats a block: 300 rows are two of them and one of one batch.
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2 * 64 * 512 * 4)
    in_blocks = [without_time(e.metrics) for e in Trainer(max_input_bytes=1).epochs(spec)]
    assert in_blocks == at_once


def test_inputs_stay_on_disk_only_where_they_do_not_fit(data: Dataset) -> None:
    spec, size = make_spec(data), 500 * 512 * 4
    assert isinstance(InputStore(None, size - 1).get(spec, ignore_progress).train, HostRows)
    assert not isinstance(InputStore(None, size).get(spec, ignore_progress).train, HostRows)
