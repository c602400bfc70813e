"""Keras' networks as backbones: features, where they are cut, what trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from postertui.data.backbones import check_layers, check_side, describe_backbones
from postertui.data.dataset import Dataset
from postertui.data.weights import Weights
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.training import backbone_parts, backbones
from postertui.training.checkpoint import load_checkpoint
from postertui.training.features import FeatureCache
from postertui.training.trainer import Trainer, ignore_progress
from tests.support.training_data import make_dataset, make_spec

RANDOM = Weights("random", "r" * 32)
NAME = "mobilenetv2"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(
        tmp_path_factory.mktemp("made") / "data",
        rows={0: 24, 2: 12},
        positives={"Comedy": {0: 10, 2: 5}},
    )


def test_the_registry_is_keras_own() -> None:
    networks = backbones.registry()
    names = {
        *("vgg16", "vgg19", "resnet50", "resnet50v2", "inceptionv3", "xception", "mobilenetv2"),
        *("mobilenetv3small", "densenet121", "efficientnetv2b0", "convnexttiny"),
    }
    assert names <= set(networks)
    assert networks["resnet50"] is keras.applications.ResNet50
    with pytest.raises(UserError, match="no such network; close: resnet50"):
        backbones.find("resnet5")


@pytest.mark.slow
def test_keras_is_asked_once_about_all_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked: list[str] = []
    names = [("inceptionv3", 48), (NAME, 48), ("inceptionv3", 48)]
    described = describe_backbones(names, asked.append)
    assert asked == [f"Asking Keras about inceptionv3, {NAME} (once; some seconds) …"]
    inception = described["inceptionv3", 48]
    assert (inception.title, inception.min_side) == ("InceptionV3", 75)
    assert inception.weights_url.endswith(inception.weights_file)
    assert inception.weights_file.endswith("notop.h5")
    assert inception.weights_hash
    assert {"conv2d", "mixed10"} <= set(inception.layers)
    network = backbones.skeleton(NAME, 96, imagenet=True)
    assert described[NAME, 48].layers == backbone_parts.layer_names(network)
    # Keras has a file for 96 pixels; at sides for which it has none it takes that for 224.
    assert "224" in described[NAME, 48].weights_file
    assert "96" in describe_backbones([(NAME, 96)])[NAME, 96].weights_file
    needed = "wide: InceptionV3 needs 75 pixels; the data has 48; .*build --side 48 --side 96`"
    with pytest.raises(UserError, match=needed):
        check_side(inception, [48], "wide")
    with pytest.raises(UserError, match="has 96 too: side = 96 in the variant"):
        check_side(inception, [48, 96], "wide")
    with pytest.raises(UserError, match="no layer mixed11; close: mixed1"):
        check_layers(inception, Variant(name="mine", network="inceptionv3", train_from="mixed11"))
    monkeypatch.setattr("postertui.data.backbones._ask_keras", None)
    assert describe_backbones(names, asked.append) == described
    assert len(asked) == 1


@pytest.mark.parametrize("name", [NAME, pytest.param("resnet50", marks=pytest.mark.slow)])
def test_frozen_features_are_keras_own_predictions(
    name: str, data: Dataset, tmp_path: Path
) -> None:
    first = backbone_parts.first_uncached_layer(Variant(name="x", network=name), data.side, RANDOM)
    cache = FeatureCache(data, RANDOM, first, tmp_path, network=name)
    [features] = cache.load((2,), ignore_progress)
    network = backbones.build(name, data.side, RANDOM)
    module = {"mobilenetv2": keras.applications.mobilenet_v2}.get(name, keras.applications.resnet50)
    x = module.preprocess_input(data.images(2).astype(np.float32))
    expected = network.predict(x, verbose=0).mean(axis=(1, 2))
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(features, expected, atol=1e-5, rtol=1e-5)


def test_a_cut_is_where_one_tensor_goes_through() -> None:
    """In a residual block the addition needs what came before, so the cut lies before it."""
    x = keras.Input((4, 4, 2))
    a = keras.layers.ReLU(name="a")(x)
    b = keras.layers.ReLU(name="b")(a)
    c = keras.layers.ReLU(name="c")(b)
    d = keras.layers.Add(name="d")([c, a])
    e = keras.layers.ReLU(name="e")(d)
    network = keras.Model(x, e)
    assert [layer.name for layer in network.layers][1:] == ["a", "b", "c", "d", "e"]
    assert [backbone_parts.cut_before(network, first) for first in range(1, 7)] == [
        1,
        2,
        2,
        2,
        5,
        6,
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"train_from": "Conv_1"},
        pytest.param({"trainable_layers": 3}, marks=pytest.mark.slow),
        pytest.param({"trainable_layers": 8}, marks=pytest.mark.slow),
    ],
)
def test_the_last_layers_train_and_the_rest_stays(
    fields: dict[str, Any], data: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    spec = make_spec(
        data,
        network=NAME,
        weights=RANDOM,
        epochs=1,
        batch_size=12,
        backbone_rate=(("Conv_1", 0.1), ("block_16", 0.01)),
        learning_rate=0.01,
        **fields,
    )
    [epoch] = own_trainer.epochs(spec)
    assert epoch.metrics["dead"] is False
    epoch.save(tmp_path / "checkpoint")
    trained = load_checkpoint(tmp_path / "checkpoint", spec.digest).weights
    network, _ = next(reversed(own_trainer._networks._compiled.values()))
    names = network.weight_names
    assert names[-6:] == (
        *("fc1/kernel", "fc1/bias", "fc2/kernel", "fc2/bias", "output/kernel", "output/bias"),
    )
    before = network.draw_weights(spec.entropy, {})
    for name, old, new in zip(names, before, trained, strict=True):
        if name.endswith("Conv_1/kernel"):
            # Two updates of Adam, of a tenth of the rate each.
            assert 0 < np.abs(new - old).max() <= 2.1e-3
    assert any(name.endswith("Conv_1/kernel") for name in names)
    frozen = [path for path in network.frozen if "moving" in path or "kernel" in path]
    assert bool(frozen) == (fields != {"train_from": "Conv_1"}) or frozen


def test_vgg16_by_number_or_name_is_what_frozen_layers_are() -> None:
    for frozen, fields in (
        (17, {"trainable_layers": 2}),
        (17, {"train_from": "block5_conv3"}),
        (16, {"train_from": "block5_conv2"}),
        (19, {}),
    ):
        new = Variant(name="x", **fields)
        old = Variant(name="x", frozen_layers=frozen)
        numbers = {backbone_parts.first_uncached_layer(v, 48, RANDOM) for v in (new, old)}
        assert len(numbers) == 1
