"""Other backbones than VGG16: `predict` and the exported model agree, frozen or part trained."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from postertui.data.weights import Weights
from postertui.predictions.inference import ModelRequest
from postertui.runs.trained_weights import write_weights
from postertui.study import Variant
from postertui.supervisor.backends.ray.bundles import weights_name
from postertui.training import backbone_parts, networks
from postertui.training.export import build_complete_model
from postertui.training.features import feature_shape
from postertui.training.inference import infer
from tests.support.specs import made_spec

SIDE = 32
RANDOM = Weights("random", "r" * 32)


def write_model(runs: Path, trainable_layers: int = 0) -> ModelRequest:
    """A run on `mobilenetv2` with weights other than the initial ones."""
    variant = Variant(
        name="x", network="mobilenetv2", side=SIDE, fc1=8, fc2=4, trainable_layers=trainable_layers
    )
    first = backbone_parts.first_uncached_layer(variant, SIDE, RANDOM)
    shape = feature_shape(SIDE, first, RANDOM, "mobilenetv2")
    network = networks.build(variant, first, shape, "float32", side=SIDE, weights=RANDOM)
    spec = made_spec(variant, weights=RANDOM)
    folder = runs / spec.run
    folder.mkdir(parents=True)
    drawn = [1.1 * w for w in network.draw_weights((3,), {})]
    arrays = dict(zip(network.weight_names, drawn, strict=True))
    return ModelRequest(
        str(folder), spec, write_weights(folder, spec.digest, 1, arrays).digest, SIDE
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own
def test_predictions_and_the_exported_model_agree(tmp_path: Path) -> None:
    frozen = write_model(tmp_path / "runs")
    trained = write_model(tmp_path / "runs", trainable_layers=6)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    files = [str(tmp_path / f"{number}.png") for number in range(len(images))]
    for file, pixels in zip(files, images, strict=True):
        Image.fromarray(pixels).save(file)
    ours, unreadable = infer([frozen, trained], files, lambda _done, _total: None)
    assert not unreadable
    build_complete_model({"a": frozen, "b": trained}).save(tmp_path / "m.keras")
    exported = keras.models.load_model(tmp_path / "m.keras").predict(images, verbose=0)
    for row, name in zip(ours, ("a", "b"), strict=True):
        assert np.ptp(row) > 1e-3
        np.testing.assert_allclose(exported[name][:, 0], row, atol=1e-3)


def test_a_bundle_keeps_what_keras_reads_of_a_files_name() -> None:
    weights = Weights("file", "d", "/w/my.weights.h5")
    spec = made_spec(Variant(name="x", network="resnet50"), weights=weights)
    assert weights_name(spec).endswith(".weights.h5")
