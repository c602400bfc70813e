"""The cache of features: what its key depends on, and what happens to a damaged file."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.data.feature_key import feature_key
from postertui.data.weights import Weights
from postertui.study import ALL_LAYERS
from postertui.training import features
from postertui.training.feature_files import append_checksum
from postertui.training.features import FeatureCache, feature_shape
from postertui.training.trainer import ignore_progress
from postertui.training.vgg16 import frozen_network, random_convolutions
from tests.support.training_data import RANDOM, fill_features, make_dataset


def two_cohorts(folder: Path) -> Dataset:
    return make_dataset(folder, rows={0: 10, 2: 6}, positives={"Comedy": {0: 5, 2: 3}})


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "BATCH", 8)


@pytest.mark.slow
@pytest.mark.usefixtures("small_batches")
def test_features_are_the_frozen_networks_outputs_row_for_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And computed once; again where a file is cut short, which the log then says."""
    data = two_cohorts(tmp_path / "data")
    progress_reports: list[tuple[int, int, int]] = []
    cache = FeatureCache(data, RANDOM, 19)
    features = cache.load((0, 2), lambda *progress: progress_reports.append(progress))
    assert progress_reports == [(0, 8, 10), (0, 10, 10), (2, 6, 6)]
    part = frozen_network(32, 19, random_convolutions())
    for cohort, values in zip((0, 2), features, strict=True):
        images = np.asarray(data.images(cohort)) / np.float32(255)
        np.testing.assert_allclose(values, np.asarray(part(images)), rtol=1e-4, atol=1e-5)
    # Posters keep their differences through thirteen random layers.
    assert np.asarray(features[0]).std(axis=0).max() > 0.01

    progress_reports.clear()
    again = FeatureCache(data, RANDOM, 19).load((0, 2), lambda *p: progress_reports.append(p))
    assert progress_reports == []
    assert np.array_equal(again[0], features[0])

    whole = np.array(features[0])
    path = cache.folder / "0.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with caplog.at_level(logging.WARNING):
        rebuilt = cache.load((0, 2), lambda *p: progress_reports.append(p))
    assert progress_reports == [(0, 8, 10), (0, 10, 10)]
    assert np.array_equal(rebuilt[0], whole)
    assert f"{path} is incomplete; it is computed again" in caplog.text
    assert sorted(p.name for p in cache.folder.iterdir() if p.suffix != ".lock") == [
        "0.npy",
        "2.npy",
        "seconds",
    ]


@pytest.mark.parametrize(
    ("content", "problem"), [(b"", "is incomplete"), (b"\x93NUMPY\x01", "is incomplete")]
)
def test_nothing_but_a_whole_file_of_the_right_shape_counts(
    content: bytes, problem: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = two_cohorts(tmp_path / "data")
    fill_features(data)
    cache = FeatureCache(data, RANDOM, 19)
    assert len(cache.load((0, 2), ignore_progress)) == 2
    (cache.folder / "0.npy").write_bytes(content)
    assert cache._read(0, log_problem=True) is None
    assert problem in caplog.text
    np.save(cache.folder / "2.npy", np.zeros((6, 511), np.float32))
    assert cache._read(2, log_problem=True) is None
    assert "has the shape (6, 511), not (6, 512)" in caplog.text


def test_the_key_changes_with_all_that_features_depend_on(tmp_path: Path) -> None:
    data = two_cohorts(tmp_path / "data")
    other_side = make_dataset(
        tmp_path / "larger", rows={0: 10, 2: 6}, positives={"Comedy": {0: 5, 2: 3}}, side=48
    )
    keys = {
        feature_key(data, RANDOM, 19),
        feature_key(data, RANDOM, 17),
        feature_key(data, Weights("file", "1" * 32, "/weights.h5"), 19),
        feature_key(other_side, RANDOM, 19),
    }
    assert len(keys) == 4
    assert feature_key(Dataset.open(data.path), RANDOM, 19) in keys


@pytest.mark.parametrize("side", [32, 48])
@pytest.mark.parametrize("first", [1, 2, 4, 11, 15, 16, 17, 19])
def test_the_shape_that_is_expected_is_the_frozen_parts(side: int, first: int) -> None:
    shapes = {
        1: (side, side, 3),
        2: (side, side, 64),
        4: (side // 2, side // 2, 64),
        11: (side // 8, side // 8, 256),
        15: (side // 16, side // 16, 512),
        16: (side // 16, side // 16, 512),
        17: (side // 16, side // 16, 512),
        19: (512,),
    }
    assert feature_shape(side, first, RANDOM) == shapes[first]


@pytest.mark.parametrize("part", [slice(-64, None), slice(200, 300), slice(200, None)])
def test_damaged_features_are_noticed(tmp_path: Path, part: slice) -> None:
    data = make_dataset(tmp_path / "data", rows={0: 9, 2: 9}, positives={"Comedy": {0: 3, 2: 3}})
    feature_cache = fill_features(data)
    cache = FeatureCache(data, RANDOM, ALL_LAYERS)
    path = cache.folder / "0.npy"
    append_checksum(path, feature_cache[0])
    stored = cache._read(0)
    assert stored is not None
    assert np.array_equal(stored, feature_cache[0])
    content = bytearray(path.read_bytes())
    content[part] = bytes(len(content[part]))
    path.write_bytes(content)
    assert FeatureCache(data, RANDOM, ALL_LAYERS)._read(0) is None


def test_what_a_killed_job_left_of_a_cohort_is_removed_by_the_next(tmp_path: Path) -> None:
    """It may be gigabytes."""
    cache = FeatureCache(two_cohorts(tmp_path / "data"), RANDOM, 1)
    cache.folder.mkdir(parents=True)
    for cohort in (0, 2):
        (cache.folder / f".{cohort}.npy.4711").write_bytes(bytes(1000))
    cache.load((0,), ignore_progress)
    left = {path.name for path in cache.folder.iterdir()}
    assert left == {"0.npy", "0.lock", "seconds", ".2.npy.4711"}, "another job may write cohort 2"
    cache.load((2,), ignore_progress)
    assert not list(cache.folder.glob(".*"))


@pytest.mark.parametrize("place", ["features", "progress"])
def test_full_disk_is_told_as_such_so_that_the_run_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whether it is the features' disk or that of the run's events, which are written between."""
    data = two_cohorts(tmp_path / "data")
    cache = FeatureCache(data, RANDOM, 1)
    where = {"features": str(cache.folder), "progress": "events.jsonl"}[place]

    def find_no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), where)

    if place == "features":
        # Writing to a mapped file without room would end the process.
        monkeypatch.setattr(os, "posix_fallocate", find_no_room)
    notify = find_no_room if place == "progress" else ignore_progress
    with pytest.raises(OSError, match="No space left") as caught:
        cache.load((0, 2), notify)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, where)
    assert [path.name for path in cache.folder.iterdir()] == ["0.lock"]
    monkeypatch.undo()
    assert len(cache.load((0, 2), ignore_progress)[0]) == 10
