"""Training on details, and on posters and details: what is learnt, kept and repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from postertui.data.chosen_posters import ChosenPosters
from postertui.data.dataset import Dataset
from postertui.predictions.table import read_predictions
from postertui.runs.spec import RunSpec
from postertui.runs.trained_weights import WeightsInfo, read_weights
from postertui.supervisor.backends.ray.bundles import bundle_files, bundle_name, sees_run_data
from postertui.system.errors import UserError
from postertui.training.inference_heads import Heads
from postertui.training.input_encoding import InputEncoding
from postertui.training.trainer import Trainer
from tests.support.details_data import add_details
from tests.support.training_data import fill_features, make_dataset, make_spec, without_time


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    made = make_dataset(
        tmp_path_factory.mktemp("details") / "data",
        rows={0: 300, 2: 200},
        positives={"Comedy": {0: 120, 2: 80}},
    )
    fill_features(made)
    fill_features(made, first=16)
    return add_details(made)


def spec_of(dataset: Dataset, **more: Any) -> RunSpec:
    info = dataset.details_info
    assert info is not None
    fields: dict[str, Any] = {
        "fc1": 16,
        "fc2": 8,
        "epochs": 4,
        "batch_size": 64,
        "details_units": 16,
    }
    fields["learning_rate"] = 0.01
    return make_spec(dataset, details_digest=info.digest, **(fields | more))


@pytest.mark.parametrize(
    "fields", [{"inputs": "details"}, {"inputs": "both"}, {"inputs": "both", "with_details": True}]
)
def test_details_teach_and_what_encodes_them_is_kept(
    fields: dict[str, object], dataset: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    spec = spec_of(dataset, **fields)
    *_, last = own_trainer.epochs(spec)
    assert last.metrics["test_ap"] is not None
    assert last.metrics["test_ap"] > (0.7 if spec.variant.with_details else 0.6)
    assert last.write_results is not None
    end = last.write_results(tmp_path)
    weights = msgspec.convert(end["weights"], WeightsInfo)
    trained = read_weights(tmp_path, spec.digest, weights.digest)
    encoding = msgspec.json.decode(trained.encoding, type=InputEncoding)
    assert encoding.details.kinds == {"year": "number", "country": "category", "keywords": "list"}
    assert (encoding.features is None) == (spec.variant.inputs == "details")
    posters = ChosenPosters(dataset, with_details=spec.variant.with_details)
    predictions = read_predictions(tmp_path)
    assert predictions.ids.tolist() == posters.ids([2]).tolist()
    assert predictions.labels.tolist() == posters.genre_labels("Comedy", [2]).tolist()


@pytest.mark.parametrize("frozen", [19, pytest.param(17, marks=pytest.mark.slow)])
def test_a_run_with_details_goes_on_from_its_checkpoint_and_in_blocks(
    frozen: int, dataset: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    fields = {"inputs": "both", "epochs": 2, "frozen_layers": frozen, "batch_size": 100}
    spec = spec_of(dataset, **fields)
    epochs = own_trainer.epochs(spec)
    next(epochs).save(tmp_path / "checkpoint")
    [last] = epochs
    [resumed] = own_trainer.epochs(spec, tmp_path / "checkpoint")
    assert without_time(resumed.metrics) == without_time(last.metrics)
    if frozen == 19:
        return
    in_blocks = [e.metrics for e in Trainer(max_input_bytes=1).epochs(spec)]
    assert in_blocks[-1]["test_loss"] == pytest.approx(last.metrics["test_loss"], rel=1e-5)


def test_details_do_not_disturb_the_poster_alone(dataset: Dataset, tmp_path: Path) -> None:
    plain = make_dataset(
        tmp_path / "plain",
        rows={0: 300, 2: 200},
        positives={"Comedy": {0: 120, 2: 80}},
    )
    fill_features(plain)
    [*_, with_], [*_, without] = (
        Trainer().epochs(make_spec(d, epochs=2, batch_size=64)) for d in (dataset, plain)
    )
    assert make_spec(dataset).digest == make_spec(plain).digest
    assert without_time(with_.metrics) == without_time(without.metrics)


def test_other_details_than_the_run_was_asked_for_are_refused(dataset: Dataset) -> None:
    spec = msgspec.structs.replace(spec_of(dataset, inputs="details"), details_digest="0" * 32)
    with pytest.raises(UserError, match="the data has changed since this run was queued"):
        next(iter(Trainer().epochs(spec)))


def test_a_node_gets_details_and_no_images_that_it_does_not_need(dataset: Dataset) -> None:
    alone = spec_of(dataset, inputs="details")
    both = spec_of(dataset, inputs="both")
    poster = make_spec(dataset)
    names = {spec.variant.inputs: [n for n, _ in bundle_files(spec)] for spec in (alone, both)}
    assert "details.parquet" in names["details"]
    assert not [n for n in names["details"] if n.startswith(("images", "features"))]
    assert {"details.parquet"} < set(names["both"]) - set(names["details"]) | {"details.parquet"}
    assert "details.parquet" not in [n for n, _ in bundle_files(poster)]
    assert len({bundle_name(spec) for spec in (alone, both, poster)}) == 3
    assert sees_run_data(both)
    assert not sees_run_data(msgspec.structs.replace(both, details_digest="0" * 32))


def test_heads_take_details_by_the_posters_ids(
    dataset: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    from postertui.predictions.inference import ModelRequest
    from postertui.training.input_encoding import PosterDetails

    spec = spec_of(dataset, inputs="both", epochs=1)
    *_, last = own_trainer.epochs(spec)
    assert last.write_results is not None
    end = last.write_results(tmp_path)
    frame = dataset.details().frame
    frame.with_columns(frame["keywords"].list.join("|")).write_csv(tmp_path / "details.csv")
    model = ModelRequest(str(tmp_path), spec, end["weights"]["digest"], dataset.side)
    ids = dataset.ids(2).tolist()
    details = PosterDetails(tmp_path / "details.csv", ids)
    heads = Heads([model], 19, (512,))
    features = fill_features(dataset)[2]
    given = heads.probabilities(features, lambda encoder: details.encode(encoder, ids))
    assert np.allclose(given[0], read_predictions(tmp_path).probabilities, atol=1e-6)
    others = PosterDetails(tmp_path / "details.csv", [987654321])
    with pytest.raises(UserError, match="has none of the 1 posters"):
        heads.probabilities(features, lambda encoder: others.encode(encoder, [987654321]))


def test_permuting_an_input_changes_what_depends_on_it(
    dataset: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    from postertui.predictions.inference import ModelRequest
    from postertui.training.importance import permuted_probabilities

    spec = spec_of(dataset, inputs="both", epochs=2, val_cohorts=(2,), test_cohorts=(2,))
    *_, last = own_trainer.epochs(spec)
    assert last.write_results is not None
    end = last.write_results(tmp_path)
    model = ModelRequest(str(tmp_path), spec, end["weights"]["digest"], dataset.side)
    probabilities = permuted_probabilities(model, dataset.path, repeats=2)
    assert probabilities.shape == (1 + 3 + 1, 2, 200)  # as it is, three columns, the poster
    expected = read_predictions(tmp_path).probabilities[:200]
    assert np.allclose(probabilities[0, 0], expected, atol=1e-6)
    changed = np.abs(probabilities - probabilities[0]).mean(axis=(1, 2))
    assert (changed[1:] > 1e-5).all()
