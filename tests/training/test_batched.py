"""Heads of one shape trained together have the histories that they have alone."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postertui.data.dataset import Dataset
from postertui.runs.epoch_line import SCORES
from postertui.study import Constant, Plateau
from postertui.system.errors import UserError
from postertui.training.batched import BatchedTrainer, batch_key, group_by_shape
from postertui.training.trainer import Trainer
from tests.support.training_data import make_spec

#: Counts of decisions: equal unless a probability is at .5 to the last bit.
COUNTS = ("tp", "fp", "fn", "tn")


def different_runs(data: Dataset, **more: Any) -> list[Any]:
    """Runs of one shape that differ in everything that may differ."""
    return [
        make_spec(data, "Comedy", **more),
        make_spec(data, "Comedy", seed=1, strength=0.01, **more),
        make_spec(data, "Drama", regularizer="l2", strength=1e-3, **more),
        make_spec(data, "Drama", regularizer="none", learning_rate=0.01, **more),
        make_spec(data, "Rare", mode="sound", **more),
        make_spec(data, "Comedy", seed=2, schedule=Plateau(patience=1, min_delta=1.0), **more),
    ]


def assert_equal_histories(together: list[Any], alone: list[Any], tolerance: float) -> None:
    assert len(together) == len(alone)
    for a, b in zip(together, alone, strict=True):
        assert a.epoch == b.epoch
        # Scores of probabilities come with results, which groups do not have yet.
        assert a.metrics.keys() - set(SCORES) == b.metrics.keys() - set(SCORES)
        for name in a.metrics.keys() - set(SCORES):
            value = b.metrics[name]
            if name == "seconds":
                continue
            other = a.metrics[name]
            if isinstance(value, float) and math.isnan(value):
                assert isinstance(other, float)
                assert math.isnan(other), name
            elif isinstance(value, float):
                assert other == pytest.approx(value, rel=tolerance, abs=tolerance), name
            else:
                assert other == value, name


@pytest.mark.parametrize("loss", ["fscore", pytest.param("bce", marks=pytest.mark.slow)])
def test_histories_together_equal_those_alone(data: Dataset, loss: str) -> None:
    """In double precision, where only real differences are left."""
    specs = different_runs(data, loss=loss, epochs=4, batch_size=64)
    results = list(BatchedTrainer(dtype="float64").epochs(specs))
    trainer = Trainer(dtype="float64")
    for spec in specs:
        together = [epoch[spec.run] for epoch in results]
        assert_equal_histories(together, list(trainer.epochs(spec)), 1e-9)


@pytest.mark.slow
def test_single_precision_agrees_to_rounding(data: Dataset, warm: Trainer) -> None:
    specs = different_runs(data, epochs=3, batch_size=64)
    results = list(BatchedTrainer().epochs(specs))
    for spec in specs:
        together = [epoch[spec.run] for epoch in results]
        assert_equal_histories(together, list(warm.epochs(spec)), 2e-4)


@pytest.mark.slow
def test_a_dead_run_leaves_the_others_alone(data: Dataset) -> None:
    """As published, batches without a positive make weights NaN: those of their run only."""
    dead = make_spec(data, "Rare", mode="published", epochs=2, batch_size=32)
    alive = make_spec(data, "Comedy", epochs=2, batch_size=32)
    results = list(BatchedTrainer(dtype="float64").epochs([dead, alive]))
    assert [epoch[dead.run].metrics["dead"] for epoch in results] == [True, True]
    together = [epoch[alive.run] for epoch in results]
    assert_equal_histories(together, list(Trainer(dtype="float64").epochs(alive)), 1e-9)


@pytest.mark.slow
def test_each_run_ends_by_its_own_rule(data: Dataset) -> None:
    short = make_spec(data, "Comedy", epochs=2)
    early = make_spec(data, "Drama", epochs=6, early_stopping=1, learning_rate=0.5)
    long = make_spec(data, "Comedy", seed=1, epochs=6)
    cancelled = make_spec(data, "Comedy", seed=2, epochs=6)
    trainer = BatchedTrainer(dtype="float64")
    seen: dict[str, list[Any]] = {}
    for epoch in trainer.epochs([short, early, long, cancelled]):
        for run, result in epoch.items():
            seen.setdefault(run, []).append(result)
        if len(seen[cancelled.run]) == 3:
            trainer.cancel(cancelled.run)
    alone = Trainer(dtype="float64")
    assert len(seen[short.run]) == 2
    assert len(seen[cancelled.run]) == 3
    assert len(seen[long.run]) == 6
    for spec in (short, early, long):
        assert_equal_histories(seen[spec.run], list(alone.epochs(spec)), 1e-9)


@pytest.mark.slow
def test_a_checkpoint_goes_on_alone(data: Dataset, tmp_path: Path) -> None:
    specs = [make_spec(data, "Comedy", epochs=5), make_spec(data, "Drama", epochs=5)]
    for epoch in BatchedTrainer(dtype="float64").epochs(specs):
        if epoch[specs[1].run].epoch == 2:
            epoch[specs[1].run].save(tmp_path / "checkpoint")
            break
    trainer = Trainer(dtype="float64")
    resumed = list(trainer.epochs(specs[1], tmp_path / "checkpoint"))
    assert [result.epoch for result in resumed] == [3, 4, 5]
    assert_equal_histories(resumed, list(trainer.epochs(specs[1]))[2:], 1e-9)


def test_only_heads_of_one_shape_are_grouped(data: Dataset) -> None:
    a, b = make_spec(data, "Comedy"), make_spec(data, "Drama", strength=0.5)
    other = make_spec(data, "Comedy", fc1=16)
    scratch = make_spec(data, "Comedy", network="scratch")
    frozen = make_spec(data, "Comedy", frozen_layers=17)
    assert batch_key(scratch) is None
    assert batch_key(frozen) is None
    assert group_by_shape([a, other, scratch, b]) == [[a, b], [other], [scratch]]
    with pytest.raises(UserError, match="only heads of one shape"):
        next(BatchedTrainer().epochs([a, other]))
    with pytest.raises(UserError, match="only heads of one shape"):
        next(BatchedTrainer().epochs([scratch]))
    assert make_spec(data, schedule=Constant()).variant.schedule == Constant()


@pytest.mark.slow
def test_the_same_on_jax(data: Dataset) -> None:
    pytest.importorskip("jax")
    program = """
import sys
from pathlib import Path
import jax
jax.config.update("jax_enable_x64", True)
from postertui.data.dataset import Dataset
from postertui.training.batched import BatchedTrainer
from postertui.training.trainer import Trainer
from tests.training.test_batched import assert_equal_histories, different_runs

specs = different_runs(Dataset.open(Path(sys.argv[1])), epochs=2, batch_size=64)
results = list(BatchedTrainer(dtype="float64").epochs(specs))
trainer = Trainer(dtype="float64")
for spec in specs:
    assert_equal_histories([e[spec.run] for e in results], list(trainer.epochs(spec)), 1e-9)
print("equal")
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(data.path)],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "equal", result.stderr[-2000:]
