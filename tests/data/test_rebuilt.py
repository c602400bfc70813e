"""Data that is built again, or damaged, while something reads it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.data.description import CohortInfo, DatasetInfo
from postertui.data.digests import DIGEST, CohortDigests, fingerprint, rows_digest
from postertui.data.posters.replace import replacement
from postertui.system.errors import UserError

GENRES = ("Comedy", "Drama")


def write_data(folder: Path, seed: int, rows: int = 20) -> None:
    """A data folder with digests, as a build writes it."""
    rng = np.random.default_rng(seed)
    cohorts, digests = {}, []
    for digit in (0, 2):
        images = rng.integers(0, 256, (rows, 8, 8, 3), dtype=np.uint8)
        labels = rng.integers(0, 2, (rows, 2), dtype=np.uint8)
        ids = np.arange(rows, dtype=np.int64) * 10 + digit
        for name, array in (("images", images), ("labels", labels), ("ids", ids)):
            np.save(folder / f"{name}-{digit}.npy", array)
        cohorts[str(digit)] = CohortInfo(rows, rows, rows_digest(images))
        digests.append(CohortDigests(digit, rows_digest(images), rows_digest(labels), ids))
    info = DatasetInfo(
        genres=GENRES,
        side=8,
        cohorts=cohorts,
        fingerprint=fingerprint(GENRES, 8, digests),
        source={"digest": DIGEST},
    )
    (folder / "dataset.json").write_bytes(msgspec.json.encode(info))


def build(target: Path, seed: int) -> None:
    with replacement(target) as draft:
        write_data(draft, seed)


READS: dict[str, Callable[[Dataset], Any]] = {
    "images": lambda data: data.images(2),
    "labels": lambda data: data.labels(2),
    "ids": lambda data: data.ids(2),
}


@pytest.mark.parametrize("read_before", [[], ["images"], ["labels"], ["images", "labels", "ids"]])
def test_open_data_is_never_mixed_with_its_successor(
    tmp_path: Path, read_before: list[str]
) -> None:
    target = tmp_path / "data"
    build(target, 1)
    untouched = tmp_path / "untouched"
    untouched.mkdir()
    write_data(untouched, 1)
    same = Dataset.open(untouched)
    data = Dataset.open(target)
    assert data.fingerprint == same.fingerprint
    kept = {name: READS[name](data) for name in read_before}
    build(target, 2)
    for name, read in READS.items():
        try:
            values = read(data)
        except UserError as error:
            assert str(target) in str(error), "the message names the folder as the user does"
            assert "built again or moved since it was opened" in str(error)
            assert "missing" not in str(error), "the new folder has every file"
            assert name != "labels" or name not in kept
        else:
            assert np.array_equal(values, read(same)), f"{name} of the folder that was opened"
    for name, values in kept.items():
        assert np.array_equal(values, READS[name](same))
    assert Dataset.open(target).fingerprint != data.fingerprint


@pytest.mark.parametrize("name", ["images-2.npy", "labels-0.npy", "ids-2.npy"])
def test_half_a_file_of_zeros_is_refused(tmp_path: Path, name: str) -> None:
    target = tmp_path / "data"
    build(target, 1)
    content = bytearray((target / name).read_bytes())
    half = len(content) // 2
    content[half:] = bytes(len(content) - half)
    (target / name).write_bytes(content)
    data = Dataset.open(target)
    with pytest.raises(UserError, match="build the data again"):
        for read in READS.values():
            read(data)


def test_digests_of_a_build_are_checked_and_right(tmp_path: Path) -> None:
    target = tmp_path / "data"
    build(target, 1)
    data = Dataset.open(target)
    for read in READS.values():
        assert len(read(data)) == 20


def test_pipes_and_devices_among_the_posters_are_left_out(tmp_path: Path) -> None:
    from PIL import Image

    from postertui.data.posters.scan import PosterFiles

    Image.new("RGB", (60, 90)).save(tmp_path / "1.jpg")
    os.mkfifo(tmp_path / "2.jpg")
    (tmp_path / "3.jpg").symlink_to("/dev/zero")
    (tmp_path / "4.jpg").symlink_to("1.jpg")
    files = PosterFiles(tmp_path)
    assert files.ids.tolist() == [1, 4]
    assert [reason for _, reason in files.left_out] == ["a pipe or a device, not a file"] * 2
