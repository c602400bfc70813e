"""Classical models in the network's place: one row, kept with skops, used like any other."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postertui.data.dataset import Dataset
from postertui.predictions.inference import ModelRequest
from postertui.predictions.table import read_predictions
from postertui.runs.spec import RunSpec
from postertui.runs.store import METRICS
from postertui.runs.trained_weights import read_weights
from postertui.study import check_variant
from postertui.system.errors import UserError
from postertui.training.inference_heads import Heads
from postertui.training.trainer import Trainer
from tests.support.details_data import add_details
from tests.support.training_data import fill_features, make_dataset, make_spec, without_time

pytest.importorskip("skops")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    made = make_dataset(
        tmp_path_factory.mktemp("classical") / "data",
        rows={0: 200, 2: 150},
        positives={"Comedy": {0: 80, 2: 60}},
    )
    fill_features(made)
    return add_details(made)


def spec_of(dataset: Dataset, **fields: Any) -> RunSpec:
    info = dataset.details_info
    assert info is not None
    variant = check_variant("mine", fields)
    digest = info.digest if variant.needs_details else ""
    return make_spec(dataset, details_digest=digest, variant=variant)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "logistic"},
        {"model": "svc", "inputs": "details"},
        {"model": "forest", "inputs": "both", "trees": 20, "depth": 4},
        {"model": "boosting", "inputs": "details", "trees": 10, "with_details": True},
    ],
)
def test_a_classical_model_is_a_run_like_any_other(
    fields: dict[str, Any], dataset: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    spec = spec_of(dataset, **fields)
    [row] = own_trainer.epochs(spec)
    [again] = own_trainer.epochs(spec)
    assert without_time(row.metrics) == without_time(again.metrics)
    missing = {name for name in METRICS if row.metrics.get(name) is None}
    of_validation = {n for n in METRICS if n.startswith("val_") or "threshold" in n}
    assert missing == {"learning_rate"} | of_validation
    ap = row.metrics["test_ap"]
    assert isinstance(ap, float)
    assert ap > 0.5  # the base rate is .4
    assert row.write_results is not None
    end = row.write_results(tmp_path)
    model = ModelRequest(str(tmp_path), spec, end["weights"]["digest"], dataset.side)
    features = fill_features(dataset)[2]
    predictions = read_predictions(tmp_path)
    chosen = np.isin(dataset.ids(2), predictions.ids)
    ids = dataset.ids(2)[chosen]
    details = dataset.details()
    poster = features[chosen] if spec.variant.inputs != "details" else features[chosen, :0]
    heads = Heads([model], 19, poster.shape[1:])
    given = heads.probabilities(poster, lambda encoder: encoder.encode(details, ids))[0]
    assert np.allclose(given, predictions.probabilities, atol=1e-6)


def test_class_weights_raise_the_probability_of_the_rarer_class(
    dataset: Dataset, own_trainer: Trainer
) -> None:
    specs = [
        spec_of(dataset, model="logistic", inputs="details", class_weight=weight)
        for weight in ("balanced", "none")
    ]
    balanced, plain = (next(iter(own_trainer.epochs(spec))).metrics for spec in specs)
    recalls = [metrics["test_recall"] for metrics in (balanced, plain)]
    assert all(isinstance(recall, float) for recall in recalls)
    assert recalls[0] > recalls[1]  # type: ignore[operator]


def test_a_model_of_other_types_is_never_loaded(
    dataset: Dataset, own_trainer: Trainer, tmp_path: Path
) -> None:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    from postertui.training.classical import load_model

    with pytest.raises(UserError, match=r"its model holds .*, which none of these models consists"):
        load_model(skops.io.dumps(FunctionTransformer(io.StringIO)), "run")
    with pytest.raises(UserError, match="run: damaged model"):
        load_model(pickle.dumps(print), "run")
    spec = spec_of(dataset, model="logistic")
    [row] = own_trainer.epochs(spec)
    assert row.write_results is not None
    end = row.write_results(tmp_path)
    kept = read_weights(tmp_path, spec.digest, end["weights"]["digest"])
    assert kept.model.startswith(b"PK")  # skops' archive
    assert not kept.arrays


def test_too_few_positives_to_calibrate_are_named(tmp_path: Path) -> None:
    few = make_dataset(tmp_path / "few", rows={0: 50, 2: 50}, positives={"Comedy": {0: 3, 2: 3}})
    fill_features(few)
    with pytest.raises(UserError, match="Comedy: svc needs 5 posters of either class"):
        list(Trainer().epochs(make_spec(few, variant=check_variant("mine", {"model": "svc"}))))
