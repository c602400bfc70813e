"""What the driver keeps on the head's disk."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from postertui.supervisor.backends.ray.head_storage import HeadStorage, read_checkpoint
from postertui.supervisor.backends.ray.node_folder import KEPT_SECONDS
from postertui.supervisor.backends.ray.run_messages import CheckpointData
from tests.support.supervisor import make_spec


@pytest.fixture
def storage(tmp_path: Path) -> HeadStorage:
    return HeadStorage(tmp_path, "study")


def test_the_newest_checkpoint_is_kept_until_it_is_dropped(
    storage: HeadStorage, tmp_path: Path
) -> None:
    run = make_spec().run
    storage.keep_checkpoint(CheckpointData(run, 9), b"nine")
    storage.keep_checkpoint(CheckpointData(run, 10), b"ten")
    assert list(read_checkpoint(storage.checkpoints(run))) == [(10, b"ten")]
    # A new driver on the same head goes on with it.
    again = HeadStorage(tmp_path, "study")
    assert list(read_checkpoint(again.checkpoints(run))) == [(10, b"ten")]
    assert len(list((tmp_path / "checkpoints" / "study").iterdir())) == 1
    again.drop_run(run)
    assert not again.checkpoints(run)


def test_a_checkpoint_that_was_not_continued_expires(storage: HeadStorage, tmp_path: Path) -> None:
    for genre, age in (("Comedy", KEPT_SECONDS + 60), ("Drama", KEPT_SECONDS - 60)):
        storage.keep_checkpoint(CheckpointData(make_spec(genre).run, 9), b"nine")
        [(_, path)] = storage.checkpoints(make_spec(genre).run)
        then = time.time() - age
        os.utime(path, (then, then))
    again = HeadStorage(tmp_path, "study")
    assert not again.checkpoints(make_spec("Comedy").run)
    assert again.checkpoints(make_spec("Drama").run)


def test_a_run_of_another_name_has_another_checkpoint(storage: HeadStorage) -> None:
    storage.keep_checkpoint(CheckpointData("comedy--base--s1--00000000", 3), b"one")
    assert not storage.checkpoints("comedy--base--s1--0000000")


def test_a_name_that_is_none_writes_nothing(storage: HeadStorage, tmp_path: Path) -> None:
    storage.keep_checkpoint(CheckpointData("../escaped", 3), b"x")
    assert not list(tmp_path.rglob("*escaped*"))
