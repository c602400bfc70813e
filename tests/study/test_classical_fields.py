"""Variants of classical models: their fields, and what a plan makes of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from postertui.study import Variant, check_variant
from postertui.study.files import parse_study
from postertui.supervisor.plan import plan
from postertui.system.errors import UserError
from tests.support.training_data import RANDOM, make_dataset


def test_fields_that_the_model_lacks_do_not_distinguish_variants() -> None:
    base = Variant(name="base", epochs=30, restore_best=True, C=7)
    forest = check_variant("forest", {"model": "forest", "trees": 50}, base)
    other = check_variant("forest", {"model": "forest", "trees": 50})
    assert forest.identity == other.identity
    assert (forest.epochs, forest.regularizer_label, forest.C) == (1, "NoReg", 1.0)
    new = {"model", "class_weight", "C", "trees", "depth", "shrinkage"}
    assert not new & set(Variant(name="base").identity)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"trees": 10}, "trees: a network has none"),
        ({"model": "forest", "C": 2.0}, "C: a model forest has none"),
        ({"model": "logistic", "epochs": 20}, "epochs: a model logistic has none"),
        ({"model": "svc", "network": "scratch"}, "network: model svc takes features of a frozen"),
        ({"model": "svc", "frozen_layers": 17}, "frozen_layers: model svc trains no layers"),
        ({"model": "svc", "augment": "mirror"}, "augment: model svc is trained without"),
        ({"model": "bayes"}, "model: .* one of network, logistic, svc, forest, boosting"),
        ({"model": "svc", "C": 0}, "C: 0 is not a number above 0"),
    ],
)
def test_fields_that_contradict_each_other(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_variant("mine", fields)


def test_without_scikit_learn_such_variants_are_left_out_or_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(
        tmp_path / "data",
        rows={0: 20, 2: 20},
        positives={"Comedy": {0: 8, 2: 8}},
        side=8,
    )
    study = parse_study('[variants.trees]\nmodel = "forest"', "x.toml")
    planned = plan(study, dataset, RANDOM, {}, seeds=1, epochs=3)
    assert [s.variant.epochs for s in planned.specs] == [3, 1]
    real = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "skops" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    planned = plan(study, dataset, RANDOM, {}, seeds=1)
    assert [s.variant.name for s in planned.specs] == ["base"]
    assert "pip install 'postertui[classical]'): trees" in planned.notes[0]
    with pytest.raises(UserError, match=r"trees: needs scikit-learn and skops: pip install"):
        plan(study, dataset, RANDOM, {}, variants=["trees"], seeds=1)
