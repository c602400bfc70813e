"""The same spec gives the same history to the bit: again, after other runs, and when resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.runs.spec import RunSpec
from postertui.study import Plateau
from postertui.system.errors import UserError
from postertui.training.checkpoint import load_checkpoint
from postertui.training.initializers import weights_rng
from postertui.training.trainer import Trainer
from tests.support.training_data import make_spec, without_time

#: Something of everything that a checkpoint must carry on.
SCHEDULE = Plateau(factor=0.5, patience=1, min_rate=1e-6, min_delta=0.01)


@pytest.fixture
def spec(data: Dataset) -> RunSpec:
    return make_spec(data, epochs=6, batch_size=64, schedule=SCHEDULE)


def history(trainer: Trainer, spec: RunSpec, resume: Path | None = None) -> list[dict[str, Any]]:
    return [without_time(e.metrics) | {"epoch": e.epoch} for e in trainer.epochs(spec, resume)]


def test_again_and_after_whatever_other_runs(data: Dataset, spec: RunSpec, warm: Trainer) -> None:
    first = history(Trainer(), spec)
    for other in (
        make_spec(data, "Drama", seed=3, epochs=1, batch_size=64),
        make_spec(data, "Rare", epochs=2, batch_size=64, mode="published"),
        make_spec(data, "Comedy", epochs=1, fc1=16, batch_size=100, loss="bce"),
    ):
        history(warm, other)
    assert history(warm, spec) == first
    assert history(warm, spec) == first
    assert len({epoch["learning_rate"] for epoch in first}) > 1


def test_another_seed_or_genre_is_another_history(
    data: Dataset, spec: RunSpec, warm: Trainer
) -> None:
    fields: dict[str, Any] = {"epochs": 6, "batch_size": 64, "schedule": SCHEDULE}
    histories = [
        history(warm, s)
        for s in (spec, make_spec(data, seed=1, **fields), make_spec(data, "Drama", **fields))
    ]
    losses = {tuple(e["test_loss"] for e in h) for h in histories}
    assert len(losses) == 3


def test_genres_share_their_random_numbers_only_where_the_spec_says_so(data: Dataset) -> None:
    specs = {
        (genre, key): make_spec(data, genre, random_key=key)
        for genre in ("Comedy", "Drama")
        for key in ("seed", "seed-genre")
    }
    drawn = {k: tuple(weights_rng(spec.entropy).random(3)) for k, spec in specs.items()}
    assert drawn["Comedy", "seed"] == drawn["Drama", "seed"]
    own = {drawn[genre, "seed-genre"] for genre in ("Comedy", "Drama")}
    assert len(own | {drawn["Comedy", "seed"]}) == 3
    # Runs from before the key was recorded keep their names and their numbers.
    fields = msgspec.to_builtins(specs["Comedy", "seed"])
    del fields["random_key"]
    old = msgspec.convert(fields, RunSpec)
    assert (old.run, old.entropy) == (specs["Comedy", "seed"].run, (0,))


@pytest.mark.parametrize("epoch", [1, 4, 5])
def test_a_resumed_run_goes_on_as_if_nothing_had_happened(
    epoch: int, spec: RunSpec, warm: Trainer, tmp_path: Path
) -> None:
    whole = history(warm, spec)
    path = tmp_path / "checkpoint"
    for result in warm.epochs(spec):
        if result.epoch == epoch:
            result.save(path)
            break
    assert history(Trainer() if epoch == 4 else warm, spec, path) == whole[epoch:]


def test_the_rest_of_a_run_leaves_a_saved_epoch_alone(
    spec: RunSpec, warm: Trainer, tmp_path: Path
) -> None:
    """A checkpoint that is written holds that epoch's weights, not later ones."""
    states = []
    for result in warm.epochs(spec):
        result.save(tmp_path / "checkpoint")
        states.append(load_checkpoint(tmp_path / "checkpoint", spec.digest))
    assert [s.epoch for s in states] == [1, 2, 3, 4, 5, 6]
    assert [s.updates for s in states] == [5, 10, 15, 20, 25, 30]
    kernels = {s.weights[0].tobytes() for s in states}
    assert len(kernels) == 6
    assert all(np.isfinite(a).all() for s in states for a in (*s.weights, *s.m, *s.v))


def test_early_stopping_ends_a_run_also_when_it_is_resumed(
    data: Dataset, warm: Trainer, tmp_path: Path
) -> None:
    # A rate this large gets nowhere after its first epochs.
    spec = make_spec(data, epochs=60, batch_size=64, early_stopping=2, learning_rate=0.1)
    processes = []
    for result in warm.epochs(spec):
        result.save(tmp_path / f"{result.epoch}")
        processes.append(without_time(result.metrics))
    assert 3 <= len(processes) < 60
    losses = [float(epoch["test_loss"]) for epoch in processes]
    assert min(losses) == losses[-3]
    resumed = [
        without_time(e.metrics) for e in warm.epochs(spec, tmp_path / f"{len(processes) - 1}")
    ]
    assert resumed == processes[-1:]
    assert list(warm.epochs(spec, tmp_path / f"{len(processes)}")) == []


def test_anothers_or_a_damaged_checkpoint_is_refused(
    data: Dataset, spec: RunSpec, warm: Trainer, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    next(warm.epochs(spec)).save(path)
    other = make_spec(data, "Drama", epochs=6, batch_size=64, schedule=SCHEDULE)
    with pytest.raises(UserError, match="checkpoint of another run"):
        next(warm.epochs(other, path))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="damaged checkpoint"):
        next(warm.epochs(spec, path))
