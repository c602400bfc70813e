"""What the driver keeps on the head's disk."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from postertui.supervisor.backends.ray.depot import Depot, read_checkpoint
from postertui.supervisor.backends.ray.protocol import Saved
from postertui.supervisor.backends.ray.seed import KEPT
from tests.support.supervisor import make_spec


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    return Depot(tmp_path, "study")


def test_the_newest_checkpoint_is_kept_until_nobody_wants_it(depot: Depot, tmp_path: Path) -> None:
    run = make_spec().run
    depot.keep(Saved(run, 9), b"nine")
    depot.keep(Saved(run, 10), b"ten")
    assert list(read_checkpoint(depot.checkpoints(run))) == [(10, b"ten")]
    # A new driver on the same head goes on with it.
    again = Depot(tmp_path, "study")
    assert list(read_checkpoint(again.checkpoints(run))) == [(10, b"ten")]
    assert len(list((tmp_path / "checkpoints" / "study").iterdir())) == 1
    again.drop(run)
    assert not again.checkpoints(run)


def test_a_checkpoint_that_nobody_went_on_with_is_dropped_in_the_end(
    depot: Depot, tmp_path: Path
) -> None:
    for genre, age in (("Comedy", KEPT + 60), ("Drama", KEPT - 60)):
        depot.keep(Saved(make_spec(genre).run, 9), b"nine")
        [(_, path)] = depot.checkpoints(make_spec(genre).run)
        then = time.time() - age
        os.utime(path, (then, then))
    again = Depot(tmp_path, "study")
    assert not again.checkpoints(make_spec("Comedy").run)
    assert again.checkpoints(make_spec("Drama").run)


def test_a_run_of_another_name_has_another_checkpoint(depot: Depot) -> None:
    depot.keep(Saved("comedy--base--s1--00000000", 3), b"one")
    assert not depot.checkpoints("comedy--base--s1--0000000")


def test_a_name_that_is_none_writes_nothing(depot: Depot, tmp_path: Path) -> None:
    depot.keep(Saved("../escaped", 3), b"x")
    assert not list(tmp_path.rglob("*escaped*"))
