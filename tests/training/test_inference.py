"""Posters through trained models: the arithmetic, and which models share a pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.predictions.inference import ModelRequest
from postertui.runs import layout
from postertui.runs.spec import RunSpec
from postertui.runs.trained_weights import read_weights, write_weights
from postertui.study import ALL_LAYERS, Variant
from postertui.system.errors import UserError
from tests.support.trained_models import (
    RANDOM,
    build_data,
    draw_weights,
    image_files,
    relu_head,
    write_many_sizes,
    write_model,
)


@pytest.fixture(scope="module")
def posters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many_sizes(tmp_path_factory.mktemp("sizes") / "posters", 40)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, posters: Path) -> Dataset:
    return build_data(tmp_path_factory.mktemp("built") / "data", posters)


def request(runs: Path, spec: RunSpec, side: int) -> ModelRequest:
    end = json.loads((runs / spec.run / layout.EVENTS).read_text().splitlines()[-1])
    return ModelRequest(str(runs / spec.run), spec, end["weights"]["digest"], side)


def infer(models: list[ModelRequest], files: list[Path]) -> Any:
    from postertui.training.inference import infer

    progress: list[tuple[int, int]] = []
    result = infer(models, list(map(str, files)), lambda *p: progress.append(p))
    return *result, progress


def features_of(built: Dataset) -> dict[int, np.ndarray[Any, Any]]:
    """Features by poster id, as training extracts them from the data folder."""
    from postertui.training.features import FeatureCache

    cache = FeatureCache(built, RANDOM, ALL_LAYERS)
    by_id: dict[int, np.ndarray[Any, Any]] = {}
    for cohort in built.cohorts:
        [rows] = cache.load((cohort,), lambda *_: None)
        by_id |= dict(zip(built.ids(cohort).tolist(), rows, strict=True))
    return by_id


def test_probabilities_are_those_of_the_features_that_training_sees(
    tmp_path: Path, built: Dataset, posters: Path
) -> None:
    specs = [write_model(tmp_path, built, genre) for genre in ("Comedy", "Drama")]
    models = [request(tmp_path, spec, built.side) for spec in specs]
    files = list(image_files(posters))
    probabilities, unreadable, progress = infer(models, files)
    assert unreadable == {}
    assert progress[0] == (0, len(files))
    assert progress[-1] == (len(files), len(files))
    by_id = features_of(built)
    rows = np.stack([by_id[int(path.stem)] for path in files])
    for row, model in zip(probabilities, models, strict=True):
        arrays = read_weights(Path(model.folder), model.spec.digest, model.weights_digest).arrays
        assert np.abs(row - relu_head(rows, arrays)).max() < 1e-5
    assert probabilities.std(axis=1).min() > 0.003


def test_a_single_poster_has_the_probability_that_it_has_among_many(
    tmp_path: Path, built: Dataset, posters: Path
) -> None:
    model = request(tmp_path, write_model(tmp_path, built, "Comedy"), built.side)
    files = list(image_files(posters))
    many, _, _ = infer([model], files)
    one, _, _ = infer([model], files[7:8])
    assert abs(one[0, 0] - many[0, 7]) < 1e-5


@pytest.mark.slow
def test_networks_of_every_kind(tmp_path: Path, built: Dataset, posters: Path) -> None:
    variants = [
        Variant(name="base", fc1=16, fc2=8, epochs=1),
        Variant(name="wide", fc1=32, fc2=8, epochs=1),
        Variant(name="frozen-17", fc1=16, fc2=8, frozen_layers=17, epochs=1),
        Variant(name="scratch", network="scratch", fc1=8, fc2=8, epochs=1),
    ]
    models = [
        request(tmp_path, write_model(tmp_path, built, "Comedy", variant=v), built.side)
        for v in variants
    ]
    files = list(image_files(posters))[:10]
    together, _, progress = infer(models, files)
    assert progress[-1] == (30, 30)  # three backbones: all of VGG16, most of it, none
    for row, model in zip(together, models, strict=True):
        alone, _, _ = infer([model], files)
        assert np.abs(row - alone[0]).max() < 1e-6


def test_unreadable_images_are_named_and_skipped(
    tmp_path: Path, built: Dataset, posters: Path
) -> None:
    model = request(tmp_path, write_model(tmp_path, built, "Comedy"), built.side)
    text, cut = tmp_path / "text.jpg", tmp_path / "cut.jpg"
    text.write_text("no image")
    whole = next(path for path in image_files(posters) if path.suffix == ".jpg")
    cut.write_bytes(whole.read_bytes()[:300])
    probabilities, unreadable, _ = infer([model], [text, whole, cut])
    assert unreadable[0] == "not an image, or of a format that cannot be read"
    assert set(unreadable) == {0, 2}
    assert np.isnan(probabilities[0]).tolist() == [True, False, True]


def test_a_model_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, built: Dataset, posters: Path
) -> None:
    spec = write_model(tmp_path, built, "Comedy")
    model = request(tmp_path, spec, built.side)
    files = list(image_files(posters))[:1]
    other = write_model(tmp_path, built, "Drama")
    (tmp_path / spec.run / layout.WEIGHTS).write_bytes(
        (tmp_path / other.run / layout.WEIGHTS).read_bytes()
    )
    with pytest.raises(UserError, match="its digest differs"):
        infer([model], files)
    small = Variant(name="base", fc1=4, fc2=8)
    arrays = draw_weights(small, 0, built.side)
    info = write_weights(tmp_path / spec.run, spec.digest, 1, arrays)
    with pytest.raises(UserError, match="of another network"):
        infer([ModelRequest(model.folder, spec, info.digest, built.side)], files)


def test_probabilities_are_those_that_training_kept(
    tmp_path: Path, built: Dataset, posters: Path
) -> None:
    """A run is trained on cohort 0; predict gives cohort 2 what the run's predictions say."""
    from postertui.predictions.table import read_predictions
    from postertui.runs.spec import write_spec
    from postertui.training.trainer import Trainer
    from tests.support.training_data import make_spec

    spec = make_spec(built, "Drama", fc1=16, fc2=8, epochs=2, seed=3)
    write_spec(tmp_path, spec)
    *_, last = Trainer().epochs(spec)
    assert last.write_results is not None
    fields = last.write_results(tmp_path / spec.run)
    model = ModelRequest(str(tmp_path / spec.run), spec, fields["weights"]["digest"], built.side)
    kept = read_predictions(tmp_path / spec.run).of_cohorts([2])
    files = {int(path.stem): path for path in image_files(posters)}
    probabilities, _, _ = infer([model], [files[i] for i in kept.ids.tolist()])
    assert len(kept) == 20
    assert np.abs(probabilities[0] - kept.probabilities).max() < 1e-5
    assert fields["predict_seconds"] > 0
