"""Runs in a trainer: what they record, what they refuse, and which weights move."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.runs.store import METRICS
from postertui.system.errors import UserError
from postertui.training import networks
from postertui.training.backend import to_device
from postertui.training.checkpoint import load_checkpoint
from postertui.training.trainer import Trainer
from postertui.training.vgg16 import first_uncached_layer, frozen_network, random_convolutions
from tests.support.training_data import fill_features, make_dataset, make_spec


def test_every_column_of_the_history_table_is_filled(data: Dataset, warm: Trainer) -> None:
    [result] = warm.epochs(make_spec(data, epochs=1))
    given = {name for name, value in result.metrics.items() if value is not None}
    of_validation = {n for n in METRICS if n.startswith("val_") or "threshold" in n}
    assert set(METRICS) - given == of_validation
    assert result.metrics["learning_rate"] == 0.001
    assert result.metrics["dead"] is False


@pytest.mark.parametrize("mode", ["published", "sound"])
def test_a_genre_too_rare_for_its_batches(mode: str, data: Dataset, warm: Trainer) -> None:
    """Two positives in ten batches of 32: dead as published, and still trained to its end."""
    spec = make_spec(data, "Rare", mode=mode, epochs=3, batch_size=32)
    epochs = [result.metrics for result in warm.epochs(spec)]
    assert len(epochs) == 3
    for metrics in epochs:
        assert metrics["dead"] is (mode == "published")
        empty = metrics["empty_batches"]
        assert isinstance(empty, int)
        assert 8 <= empty <= 9
        test_fscore = metrics["test_fscore"]
        assert isinstance(test_fscore, float)
        assert math.isnan(test_fscore) is (mode == "published")
    if mode == "published":
        assert [epochs[-1][f"{c}_accuracy"] for c in ("train", "test")] == [0, 0]
        assert epochs[-1]["test_fscore_soft"] is None
    else:
        assert epochs[-1]["test_fscore_soft"] is not None
        assert epochs[-1]["test_accuracy"] != 0


@pytest.mark.parametrize(
    ("genre", "message"),
    [
        ("Nothing", r"Nothing: no positive poster in training \(cohorts 0\)"),
        ("Everything", r"Everything: every poster in training \(cohorts 0\) is positive"),
    ],
)
def test_a_genre_that_teaches_nothing_is_refused_and_others_go_on(
    genre: str, message: str, data: Dataset, warm: Trainer
) -> None:
    with pytest.raises(UserError, match=message):
        next(warm.epochs(make_spec(data, genre)))
    assert next(warm.epochs(make_spec(data, "Comedy"))).epoch == 1


def test_a_missing_cohort_is_named(data: Dataset, warm: Trainer) -> None:
    with pytest.raises(UserError, match="no cohort 7; there are 0, 2"):
        next(warm.epochs(make_spec(data, test_cohorts=(7,))))


def test_other_data_than_the_run_was_asked_for_is_refused(data: Dataset, warm: Trainer) -> None:
    with pytest.raises(UserError, match="the data has changed since this run was queued"):
        next(warm.epochs(make_spec(data, data_fingerprint="0" * 32)))


def test_labels_of_another_length_than_images(tmp_path: Path) -> None:
    dataset = make_dataset(
        tmp_path / "data", rows={0: 20, 2: 10}, positives={"Comedy": {0: 5, 2: 5}}
    )
    fill_features(dataset)
    np.save(dataset.path / "labels-0.npy", np.ones((19, 1), np.uint8))
    spec_of = make_dataset(
        tmp_path / "whole", rows={0: 20, 2: 10}, positives={"Comedy": {0: 5, 2: 5}}
    )
    spec = make_spec(spec_of, data=str(dataset.path))
    with pytest.raises(UserError, match=r"labels-0\.npy: has the shape \(19, 1\), not \(20, 1\)"):
        next(Trainer().epochs(spec))


def test_several_cohorts_train_as_one(tmp_path: Path) -> None:
    """Cohorts 0 and 1 one after the other are the rows of a cohort that holds both."""
    positives = {"Comedy": {0: 20, 1: 15, 2: 20}}
    apart = make_dataset(tmp_path / "apart", rows={0: 60, 1: 40, 2: 50}, positives=positives)
    features = fill_features(apart)
    joined = make_dataset(
        tmp_path / "joined", rows={0: 100, 2: 50}, positives={"Comedy": {0: 35, 2: 20}}
    )
    labels = np.concatenate([apart.labels(0), apart.labels(1)])
    np.save(joined.path / "labels-0.npy", labels)
    np.save(joined.path / "labels-2.npy", apart.labels(2))
    fill_features(joined)
    for cohort, rows in ((0, (0, 1)), (2, (2,))):
        [path] = joined.path.glob(f"features/*/{cohort}.npy")
        np.save(path, np.concatenate([features[d] for d in rows]))
    joined = Dataset.open(joined.path)

    def last(dataset: Dataset, cohorts: tuple[int, ...]) -> dict[str, Any]:
        spec = make_spec(dataset, train_cohorts=cohorts, epochs=2, batch_size=32)
        return [e.metrics for e in Trainer().epochs(spec)][-1] | {"seconds": 0}

    assert last(apart, (0, 1)) == last(joined, (0,))


@pytest.mark.parametrize(
    ("frozen", "moving"), [(17, ["block5_conv3"]), (16, ["block5_conv2", "block5_conv3"])]
)
def test_what_may_move_of_vgg16(frozen: int, moving: list[str]) -> None:
    """17 frozen: block5_conv3 and the head. 16: block5_conv2 as well."""
    network = networks.build(
        make_variant(frozen), first_uncached_layer(frozen), (3, 3, 512), "float32"
    )
    initial_weights = [start for start in network.initial_weights if isinstance(start, tuple)]
    assert initial_weights == [(name, part) for name in moving for part in (0, 1)]
    assert (
        len(network.initial_weights)
        == len(network.model.trainable_variables)
        == len(initial_weights) + 6
    )


@pytest.mark.slow
def test_what_may_move_of_vgg16_does(tmp_path: Path) -> None:
    dataset = make_dataset(
        tmp_path / "data", rows={0: 24, 2: 8}, positives={"Comedy": {0: 12, 2: 4}}
    )
    fill_features(dataset, first_uncached_layer(16))
    spec = make_spec(dataset, frozen_layers=16, epochs=1, batch_size=8, learning_rate=1e-4)
    [result] = Trainer().epochs(spec)
    result.save(tmp_path / "checkpoint")
    weights = load_checkpoint(tmp_path / "checkpoint", spec.digest).weights
    convolutions = random_convolutions()
    for layer, (kernel, bias) in (
        ("block5_conv2", weights[0:2]),
        ("block5_conv3", weights[2:4]),
    ):
        for trained, before in zip((kernel, bias), convolutions[layer], strict=True):
            # Adam's first steps are of about the learning rate, whatever the gradient's size.
            assert 1e-5 < np.abs(trained - before).max() <= 4e-4
    assert result.metrics["dead"] is False


@pytest.mark.slow
def test_what_is_cached_at_each_boundary_and_trained_behind_it_is_vgg16() -> None:
    """The frozen part's output through the trainable part is the whole network's output."""
    convolutions = random_convolutions()
    images = np.random.default_rng(0).random((2, 48, 48, 3), dtype=np.float32)
    whole = np.asarray(frozen_network(48, 19, convolutions)(images))
    assert whole.shape == (2, 512)
    for frozen in (15, 16, 17, 18):
        first = first_uncached_layer(frozen)
        cached = np.asarray(frozen_network(48, first, convolutions)(images))
        variant = make_variant(frozen)
        network = networks.build(variant, first, cached.shape[1:], "float32")
        weights = [to_device(w) for w in network.draw_weights((0,), convolutions)]
        (p, _), _ = network.model.stateless_call(weights, [], cached)
        head = networks.build(make_variant(19), 19, (512,), "float32")
        (expected, _), _ = head.model.stateless_call(weights[-6:], [], whole)
        np.testing.assert_allclose(np.asarray(p), np.asarray(expected), atol=1e-6)


def make_variant(frozen: int) -> Any:
    from postertui.study import Variant

    return Variant(name="v", fc1=8, fc2=4, frozen_layers=frozen)


def test_the_boundary_leaves_no_pool_to_be_computed_again() -> None:
    assert [first_uncached_layer(n) for n in (0, 1, 3, 11, 14, 15, 16, 17, 18, 19)] == [
        *(1, 1, 4, 11, 15, 15, 16, 17, 19, 19)
    ]


@pytest.mark.slow
def test_scratch_trains_on_the_images_themselves(tmp_path: Path) -> None:
    """Dark posters are comedies, bright ones are not: one layer of its own finds that."""
    dataset = make_dataset(
        tmp_path / "data", rows={0: 96, 2: 48}, positives={"Comedy": {0: 48, 2: 24}}, side=16
    )
    for cohort in (0, 2):
        images = np.array(dataset.images(cohort)) // 3
        images[dataset.labels(cohort)[:, 0] == 0] += 160
        np.save(dataset.path / f"images-{cohort}.npy", images)
    spec = make_spec(dataset, network="scratch", epochs=15, batch_size=16, strength=0.0)
    last = [e.metrics for e in Trainer().epochs(spec)][-1]
    assert last["test_accuracy"] == 1.0
    assert not (dataset.path / "features").exists()
