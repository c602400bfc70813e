"""Genres that share dense layers: one network, a head and a history for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.predictions.table import read_predictions
from postertui.runs.spec import RunSpec
from postertui.runs.trained_weights import read_weights
from postertui.training.checkpoint import load_checkpoint
from postertui.training.epoch_columns import mean_monitored_loss
from postertui.training.epoch_result import EpochResult
from postertui.training.trainer import Trainer
from tests.support.training_data import fill_features, make_dataset, make_spec, without_time

GENRES = ("Comedy", "Drama", "Horror")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Rare has two positives, so that most batches of 32 have none."""
    dataset = make_dataset(
        tmp_path_factory.mktemp("made") / "data",
        rows={0: 200, 1: 90, 2: 130},
        positives={
            "Comedy": {0: 70, 1: 30, 2: 40},
            "Drama": {0: 100, 1: 40, 2: 60},
            "Horror": {0: 30, 1: 12, 2: 20},
            "Rare": {0: 2, 1: 1, 2: 2},
        },
    )
    fill_features(dataset)
    return dataset


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer()


def group_spec(data: Dataset, genre: str = "Comedy", **more: Any) -> RunSpec:
    settings: dict[str, Any] = {"share": "fc1", "epochs": 3, "batch_size": 32, "group": GENRES}
    return make_spec(data, genre, **settings | more)


def metrics_of(epochs: list[EpochResult]) -> list[dict[str, dict[str, Any]]]:
    return [{g: without_time(e.metrics) for g, e in epoch.group.items()} for epoch in epochs]


@pytest.mark.parametrize("share", ["fc1", "fc1+fc2"])
def test_a_group_repeats_itself_to_the_bit_and_goes_on_from_its_checkpoint(
    share: str, data: Dataset, trainer: Trainer, tmp_path: Path
) -> None:
    spec = group_spec(data, share=share, dropout=0.2, val_cohorts=(1,))
    epochs = []
    for epoch in trainer.epochs(spec):
        epochs.append(epoch)
        if epoch.epoch == 2:
            epoch.save(tmp_path / "checkpoint")
    assert [tuple(e.group) for e in epochs] == [GENRES] * 3
    losses = {g: e.metrics["test_loss"] for g, e in epochs[-1].group.items()}
    assert len(set(losses.values())) == 3
    # Whichever of the runs is asked for, the training is the same.
    again = Trainer().epochs(group_spec(data, "Horror", share=share, dropout=0.2, val_cohorts=(1,)))
    assert metrics_of(list(again)) == metrics_of(epochs)
    resumed = list(trainer.epochs(spec, tmp_path / "checkpoint"))
    assert metrics_of(resumed) == metrics_of(epochs)[2:]


@pytest.mark.parametrize("share", ["fc1", "fc1+fc2"])
def test_each_run_keeps_a_whole_network_with_its_own_head(
    share: str, data: Dataset, trainer: Trainer, tmp_path: Path
) -> None:
    """What the run's weights give alone is what was predicted; what is shared is equal."""
    *_, last = trainer.epochs(group_spec(data, share=share))
    x = np.load(next((data.path / "features").glob("*")) / "2.npy")
    kept = {}
    for genre, epoch in last.group.items():
        spec = group_spec(data, genre, share=share)
        assert epoch.write_results is not None
        (tmp_path / genre).mkdir()
        fields = epoch.write_results(tmp_path / genre)
        w = read_weights(tmp_path / genre, spec.digest, fields["weights"]["digest"]).arrays
        assert [a.shape for a in w.values()] == [(512, 8), (8,), (8, 4), (4,), (4, 1), (1,)]
        h = x
        for layer in ("fc1", "fc2"):
            h = np.maximum(h @ w[f"{layer}/kernel"] + w[f"{layer}/bias"], 0)
        p = 1 / (1 + np.exp(-(h @ w["output/kernel"] + w["output/bias"])[:, 0]))
        predictions = read_predictions(tmp_path / genre)
        np.testing.assert_allclose(predictions.probabilities, p, rtol=1e-4, atol=1e-6)
        assert predictions.labels.sum() == data.genre_labels(genre, (2,)).sum()
        kept[genre] = w
    a, b = kept["Comedy"], kept["Drama"]
    same = {name for name in a if np.array_equal(a[name], b[name])}
    shared = {"fc1": ("fc1",), "fc1+fc2": ("fc1", "fc2")}[share]
    assert same == {f"{layer}/{part}" for layer in shared for part in ("kernel", "bias")}


def reference_step(
    w: list[np.ndarray[Any, Any]], x: Any, y: Any, share: str, strength: float
) -> float:
    """The mean over genres of (1 - F) · weight + λ Σ|h2|, in NumPy, of one batch of all rows."""
    genres = y.shape[1]
    h1 = np.maximum(x @ w[0] + w[1], 0)
    h2 = np.maximum(h1 @ w[2] + w[3], 0)
    losses = []
    for r in range(genres):
        own = h2 if share == "fc1+fc2" else np.split(h2, genres, axis=1)[r]
        p = 1 / (1 + np.exp(-(own @ w[4][:, r] + w[5][r])))
        m = y[:, r].mean()
        fscore = 2 * (p * y[:, r]).sum() / (p.sum() + y[:, r].sum())
        losses.append((1 - fscore) * 2 + strength * np.abs(own).sum())
        assert m * (1 / m) + (1 - m) * (1 / (1 - m)) == pytest.approx(2)  # the class weight
    return float(np.mean(losses))


@pytest.mark.parametrize("share", ["fc1", "fc1+fc2"])
def test_what_is_followed_downhill_is_the_mean_of_the_genres_losses(
    share: str, data: Dataset, tmp_path: Path
) -> None:
    """One batch of all posters by plain gradient descent, against finite differences."""
    spec = group_spec(
        data, share=share, batch_size=200, epochs=2, optimizer="sgd", momentum=0.0,
        learning_rate=0.5, strength=1e-3,
    )  # fmt: skip
    weights = []
    trainer = Trainer(dtype="float64")
    for epoch in trainer.epochs(spec):
        epoch.save(tmp_path / "checkpoint")
        weights.append(load_checkpoint(tmp_path / "checkpoint", spec.unit).weights)
    before, after = weights
    x = np.load(next((data.path / "features").glob("*")) / "0.npy").astype(np.float64)
    y = np.stack([data.genre_labels(g, (0,)) for g in GENRES], axis=1).astype(np.float64)
    rng = np.random.default_rng(0)
    for number, array in enumerate(before):
        for _ in range(4):
            place = tuple(rng.integers(0, n) for n in array.shape)
            moved = [a.copy() for a in before]
            slope = []
            for step in (1e-6, -1e-6):
                moved[number][place] = array[place] + step
                slope.append(reference_step(moved, x, y, share, 1e-3))
            gradient = (slope[0] - slope[1]) / 2e-6
            step = after[number][place] - array[place]
            assert step == pytest.approx(-0.5 * gradient, rel=1e-3, abs=1e-8)


def test_a_genre_without_a_positive_in_the_batch_changes_nothing(data: Dataset) -> None:
    """Sound, the others are trained as they are; as published, all weights become NaN."""
    genres = ("Comedy", "Rare")
    spec = group_spec(data, group=genres, epochs=2)
    epochs = list(Trainer().epochs(spec))
    assert [epochs[-1].group[g].metrics["dead"] for g in genres] == [False, False]
    assert int(epochs[-1].group["Rare"].metrics["empty_batches"] or 0) >= 5
    assert epochs[-1].group["Comedy"].metrics["empty_batches"] == 0
    published = list(Trainer().epochs(msgspec.structs.replace(spec, mode="published")))
    assert [published[-1].group[g].metrics["dead"] for g in genres] == [True, True]


def test_early_stopping_follows_the_mean_of_the_monitored_losses(
    data: Dataset, trainer: Trainer
) -> None:
    spec = group_spec(
        data, epochs=40, early_stopping=2, restore_best=True, val_cohorts=(1,), learning_rate=0.02
    )
    epochs = list(trainer.epochs(spec))
    means = [np.mean([e.metrics["val_loss"] for e in epoch.group.values()]) for epoch in epochs]
    assert 3 <= len(epochs) < 40
    assert int(np.argmin(means)) == len(epochs) - 3
    assert mean_monitored_loss([{"val_loss": 1.0}, {"val_loss": float("nan")}], "val_loss") == 1.0


def test_identity_of_a_group(data: Dataset) -> None:
    """A group of other genres is another setting; so is a run by itself."""
    spec = group_spec(data)
    assert spec.unit == group_spec(data, "Drama").unit != group_spec(data, seed=1).unit
    assert spec.run == spec.members[0].run != spec.members[1].run
    wider = group_spec(data, group=("Comedy", "Drama", "Horror", "Rare"))
    assert len({spec.run, wider.run, make_spec(data, share="fc1").run, make_spec(data).run}) == 4
    assert wider.unit != spec.unit
