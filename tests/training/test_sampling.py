"""Mirror images and balanced cohorts: which rows an epoch shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.study import Variant
from postertui.training.features import FeatureCache
from postertui.training.initializers import shuffle
from postertui.training.inputs import InputStore
from postertui.training.sampling import epoch_order
from postertui.training.trainer import Trainer, ignore_progress
from tests.support.training_data import RANDOM, fill_features, make_dataset, make_spec

LABELS = np.array([1] * 20 + [0] * 70, np.uint8)
BOTH = np.tile(LABELS, 2)


def order(epoch: int = 1, **fields: Any) -> list[int]:
    return [int(row) for row in epoch_order(Variant(name="x", **fields), (3,), epoch, LABELS)]


def test_without_either_it_is_the_shuffle_of_before() -> None:
    assert order() == shuffle((3,), 1, 90).tolist()


def test_mirror_shows_each_poster_once_one_way_or_the_other() -> None:
    rows = order(augment="mirror")
    assert sorted(row % 90 for row in rows) == list(range(90))
    assert 25 < sum(row >= 90 for row in rows) < 65
    assert rows != order(2, augment="mirror")
    assert rows == order(augment="mirror")


def test_mirror_both_shows_both() -> None:
    assert sorted(order(augment="mirror-both")) == list(range(180))


def test_mirror_positives_adds_the_mirror_images_of_positives() -> None:
    assert sorted(order(balance="mirror-positives")) == [*range(90), *range(90, 110)]


def test_oversampling_repeats_positives_evenly_until_they_are_half() -> None:
    rows = order(balance="oversample")
    assert LABELS[rows].mean() == 0.5
    counts = Counter(rows)
    assert {counts[row] for row in range(20, 90)} == {1}
    assert {counts[row] for row in range(20)} == {3, 4}


def test_undersampling_leaves_out_other_negatives_each_epoch() -> None:
    rows, later = order(balance="undersample"), order(2, balance="undersample")
    assert len(rows) == len(set(rows)) == 40
    assert LABELS[rows].sum() == 20
    assert set(rows) != set(later)


def test_balance_and_mirror_together() -> None:
    rows = order(balance="undersample", augment="mirror")
    assert BOTH[rows].mean() == 0.5
    assert any(row >= 90 for row in rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    dataset = make_dataset(
        tmp_path_factory.mktemp("made") / "data",
        rows={0: 60, 2: 40},
        positives={"Comedy": {0: 12, 2: 10}},
    )
    fill_features(dataset)
    return dataset


def test_only_training_has_mirror_images(data: Dataset) -> None:
    spec = make_spec(data, network="scratch", augment="mirror-both")
    inputs = InputStore(None, 1 << 30).get(spec, ignore_progress)
    images = data.images(0)
    train = np.asarray(inputs.train)
    np.testing.assert_array_equal(train[:60], images)
    np.testing.assert_array_equal(train[60:], images[:, :, ::-1])
    np.testing.assert_array_equal(np.asarray(inputs.test), data.images(2))


@pytest.mark.slow
def test_features_of_mirror_images_have_a_cache_of_their_own(data: Dataset, tmp_path: Path) -> None:
    mirrored = FeatureCache(data, RANDOM, 19, tmp_path, mirrored=True)
    [features] = mirrored.load((2,), ignore_progress)
    [plain] = FeatureCache(data, RANDOM, 19, tmp_path).load((2,), ignore_progress)
    assert not np.array_equal(features, plain)
    twice = make_dataset(
        tmp_path / "flipped", rows={0: 60, 2: 40}, positives={"Comedy": {0: 12, 2: 10}}
    )
    np.save(twice.path / "images-2.npy", data.images(2)[:, :, ::-1])
    [expected] = FeatureCache(twice, RANDOM, 19).load((2,), ignore_progress)
    np.testing.assert_array_equal(features, expected)


@pytest.mark.parametrize(
    ("fields", "size", "rate"),
    [
        ({"balance": "oversample"}, 96, 0.5),
        ({"balance": "undersample"}, 24, 0.5),
        ({"augment": "mirror-both", "network": "scratch"}, 120, 0.2),
    ],
)
def test_the_table_counts_what_was_shown(
    fields: dict[str, str], size: int, rate: float, data: Dataset
) -> None:
    [epoch] = Trainer().epochs(make_spec(data, epochs=1, batch_size=16, **fields))
    cells = {cell: epoch.metrics[f"train_{cell}"] for cell in ("tp", "fp", "fn", "tn")}
    assert sum(cells.values()) == size  # type: ignore[arg-type]
    assert (cells["tp"] + cells["fn"]) / size == rate  # type: ignore[operator]
    assert sum(epoch.metrics[f"test_{cell}"] for cell in cells) == 40  # type: ignore[misc]
