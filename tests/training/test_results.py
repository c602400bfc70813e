"""What a run leaves: validation columns, predictions, weights; which cohort chooses."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.predictions.table import Predictions, predictions_path, read_predictions
from postertui.runs.epoch_line import SCORES, VALIDATION
from postertui.runs.spec import RunSpec
from postertui.runs.trained_weights import read_weights
from postertui.study import Plateau
from postertui.system.errors import UserError
from postertui.training.epoch_result import EpochResult
from postertui.training.trainer import Trainer
from tests.support.training_data import fill_features, make_dataset, make_spec, without_time


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Cohort 1 is of other posters than cohort 2; Absent has no positive in it."""
    dataset = make_dataset(
        tmp_path_factory.mktemp("made") / "data",
        rows={0: 200, 1: 90, 2: 130},
        positives={"Comedy": {0: 70, 1: 30, 2: 40}, "Absent": {0: 50, 1: 0, 2: 40}},
    )
    fill_features(dataset)
    return dataset


def finish(
    spec: RunSpec, folder: Path, trainer: Trainer, resume: Path | None = None
) -> tuple[list[EpochResult], dict[str, Any]]:
    """The run's epochs, and the fields of its `end` event."""
    folder.mkdir(exist_ok=True)
    epochs = list(trainer.epochs(spec, resume))
    assert [e.epoch for e in epochs if e.write_results is not None] == [epochs[-1].epoch]
    assert epochs[-1].write_results is not None
    return epochs, epochs[-1].write_results(folder)


def head_probabilities(folder: Path, spec: RunSpec, fields: Any, x: Any) -> Any:
    """The head's arithmetic in NumPy, from the kept weights and features x (n, 512)."""
    w = read_weights(folder, spec.digest, fields["weights"]["digest"]).arrays
    for layer in ("fc1", "fc2"):
        x = np.maximum(x @ w[f"{layer}/kernel"] + w[f"{layer}/bias"], 0)
    return 1 / (1 + np.exp(-(x @ w["output/kernel"] + w["output/bias"])[:, 0]))


def features(data: Dataset, *cohorts: int) -> Any:
    [folder] = (data.path / "features").iterdir()
    return np.concatenate([np.load(folder / f"{d}.npy") for d in cohorts])


def test_predictions_of_every_poster_and_the_weights_that_made_them(
    data: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    spec = make_spec(data, epochs=3, batch_size=64, val_cohorts=(1,))
    epochs, fields = finish(spec, tmp_path / "run", own_trainer)
    predictions = read_predictions(tmp_path / "run")
    written = predictions_path(tmp_path / "run").read_bytes()
    assert fields["predictions"] == {
        "digest": hashlib.sha256(written).hexdigest(),
        "bytes": len(written),
    }
    assert predictions.ids.tolist() == [*data.ids(1), *data.ids(2)]
    assert predictions.cohorts.tolist() == [1] * 90 + [2] * 130
    assert predictions.labels.tolist() == data.genre_labels("Comedy", (1, 2)).tolist()
    assert predictions.best_probabilities is None
    expected = head_probabilities(tmp_path / "run", spec, fields, features(data, 1, 2))
    np.testing.assert_allclose(predictions.probabilities, expected, atol=1e-6)
    test = predictions.of_cohorts((2,))
    metrics = epochs[-1].metrics
    decided = test.probabilities > 0.5
    assert metrics["test_tp"] == (decided & (test.labels == 1)).sum()
    assert metrics["test_fp"] == (decided & (test.labels == 0)).sum()
    assert {n for n in (*VALIDATION, *SCORES) if metrics[n] is None} == set()
    assert all(name not in epochs[0].metrics for name in SCORES)


def test_validation_changes_no_history_that_does_not_depend_on_it(
    data: Dataset, own_trainer: Trainer
) -> None:
    without = make_spec(data, epochs=3)
    with_validation = make_spec(data, epochs=3, val_cohorts=(1,))
    assert without.digest == with_validation.digest
    for a, b in zip(own_trainer.epochs(without), own_trainer.epochs(with_validation), strict=True):
        shared = {k: v for k, v in without_time(b.metrics).items() if k in a.metrics}
        for name in SCORES:  # A threshold is chosen on validation only.
            shared.pop(name, None)
        assert {k: v for k, v in without_time(a.metrics).items() if k in shared} == shared


@pytest.mark.parametrize(("mode", "monitored"), [("sound", "val_loss"), ("published", "test_loss")])
def test_early_stopping_monitors_validation_unless_as_published(
    mode: str, monitored: str, data: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    spec = make_spec(
        data,
        epochs=40,
        early_stopping=2,
        learning_rate=0.01,
        batch_size=64,
        val_cohorts=(1,),
        mode=mode,
        keep_weights="all",
    )
    epochs, fields = finish(spec, tmp_path / "run", own_trainer)
    losses = [e.metrics[monitored] for e in epochs]
    best = int(np.argmin(losses)) + 1  # type: ignore[arg-type]
    assert len(epochs) == best + 2 < 40
    predictions = read_predictions(tmp_path / "run")
    assert predictions.best_probabilities is not None
    assert not np.array_equal(predictions.best_probabilities, predictions.probabilities)
    # Without restore_best the last epoch's weights are kept.
    assert fields["weights"]["epoch"] == len(epochs)
    kept = head_probabilities(tmp_path / "run", spec, fields, features(data, 1, 2))
    np.testing.assert_allclose(predictions.probabilities, kept, atol=1e-6)


def test_restore_best_keeps_the_best_epochs_weights_across_a_resumption(
    data: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    spec = make_spec(
        data, epochs=12, restore_best=True, learning_rate=0.01, batch_size=64, val_cohorts=(1,)
    )
    epochs, fields = finish(spec, tmp_path / "run", own_trainer)
    best = int(np.argmin([e.metrics["val_loss"] for e in epochs])) + 1  # type: ignore[arg-type]
    assert fields["weights"]["epoch"] == best < 12
    predictions = read_predictions(tmp_path / "run")
    kept = head_probabilities(tmp_path / "run", spec, fields, features(data, 1, 2))
    assert predictions.best_probabilities is not None
    np.testing.assert_allclose(predictions.best_probabilities, kept, atol=1e-6)
    # Interrupted after the best epoch and resumed: the same results.
    for epoch in own_trainer.epochs(spec):
        if epoch.epoch == 11:
            epoch.save(tmp_path / "checkpoint")
            break
    _, again = finish(spec, tmp_path / "again", Trainer(), tmp_path / "checkpoint")
    assert again["weights"] | {"digest": ""} == fields["weights"] | {"digest": ""}
    assert read_predictions(tmp_path / "again").has_posters_of(predictions)
    resumed: Predictions = read_predictions(tmp_path / "again")
    np.testing.assert_array_equal(resumed.best_probabilities, predictions.best_probabilities)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"early_stopping": 2}, False),
        ({"restore_best": True}, False),
        ({"schedule": Plateau(min_rate=1e-5)}, False),
        ({"schedule": Plateau(min_rate=1e-5), "mode": "published"}, True),
        ({"schedule": Plateau()}, True),  # It never fires.
    ],
)
def test_validation_is_part_of_a_runs_identity_only_where_it_decides(
    changes: dict[str, Any], same: bool, data: Dataset
) -> None:
    without = make_spec(data, **changes)
    with_validation = make_spec(data, **changes, val_cohorts=(1,), keep_weights="none")
    assert (without.digest == with_validation.digest) is same


def test_a_loss_that_decides_needs_a_positive_poster(data: Dataset, own_trainer: Trainer) -> None:
    assert next(own_trainer.epochs(make_spec(data, "Absent", val_cohorts=(1,)))).epoch == 1
    spec = make_spec(data, "Absent", val_cohorts=(1,), early_stopping=2)
    with pytest.raises(UserError, match="Absent: no positive poster in validation"):
        next(own_trainer.epochs(spec))


@pytest.mark.parametrize(
    ("keep", "limit", "kept"),
    [
        ("small", 16_000_000, True),
        ("small", 100, False),
        ("all", 100, True),
        ("none", 10**9, False),
    ],
)
def test_which_weights_are_kept(
    keep: str,
    limit: int,
    kept: bool,
    data: Dataset,
    own_trainer: Trainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("postertui.training.results.SMALL_BYTES", limit)
    _, fields = finish(make_spec(data, epochs=1, keep_weights=keep), tmp_path / "run", own_trainer)
    assert (tmp_path / "run" / "weights.npz").exists() is kept
    assert ("weights" in fields) is kept
