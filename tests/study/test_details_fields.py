"""Variants that take details: their fields, and what a plan makes of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from postertui.data.dataset import Dataset
from postertui.data.weights import Weights
from postertui.figures.compare import parse_compared
from postertui.study import Variant, check_variant
from postertui.study.files import parse_study
from postertui.study.saving import variant_toml
from postertui.supervisor.plan import TrainingPlan, plan
from postertui.system.errors import UserError
from tests.support.details_data import add_details
from tests.support.training_data import RANDOM, make_dataset

STUDY = """
[variants.both]
inputs = "both"
details = ["year", "keywords"]
[variants.known]
with_details = true
[grid.columns]
inputs = "details"
details = [["year"], ["year", "country"], []]
"""


@pytest.fixture
def bare(tmp_path: Path) -> Dataset:
    return make_dataset(
        tmp_path / "data",
        rows={0: 100, 2: 100},
        positives={"Comedy": {0: 40, 2: 30}},
        side=8,
    )


def plan_of(dataset: Dataset, *names: str, study: str = STUDY) -> TrainingPlan:
    weights: Weights = RANDOM
    return plan(parse_study(study, "x.toml"), dataset, weights, {}, variants=names, seeds=1)


def test_fields_of_details_are_read_and_written_back() -> None:
    study = parse_study(STUDY, "x.toml")
    assert study.variants["both"].details == ("year", "keywords")
    grid = {n: v.details for n, v in study.variants.items() if n.startswith("columns")}
    assert grid == {
        "columns-year": ("year",),
        "columns-year-country": ("year", "country"),
        "columns-all": (),
    }
    for variant in study.variants.values():
        if variant.name != "base":
            text = variant_toml(variant, study.base)
            assert parse_study(text, "y.toml").variants[variant.name] == variant
    assert parse_compared("inputs + details") == ("inputs", "details")


def test_a_variant_of_posters_alone_has_the_identity_of_before() -> None:
    base = Variant(name="base")
    assert not {"inputs", "details", "details_units", "with_details"} & set(base.identity)
    turned = check_variant(
        "turned", {"inputs": "poster"}, Variant(name="b", inputs="both", details=("year",))
    )
    assert turned.identity == base.identity


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"details": ["year"]}, "details: this variant takes the poster alone"),
        ({"inputs": "both", "network": "scratch"}, "inputs: scratch takes posters alone"),
        ({"inputs": "details", "augment": "mirror"}, "augment: details have no mirror image"),
        ({"inputs": "details", "train_from": "block5_conv3"}, "train_from: details alone"),
        ({"inputs": "both", "details": ["a", "a"]}, "details: .* a list of different names"),
        ({"inputs": "films"}, "inputs: .* one of poster, details, both"),
    ],
)
def test_fields_that_contradict_each_other(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_variant("mine", fields)


def test_a_plan_takes_the_posters_that_have_details(bare: Dataset) -> None:
    dataset = add_details(bare)
    specs = {spec.variant.name: spec for spec in plan_of(dataset).specs}
    assert set(specs) == {
        "base", "both", "known", "columns-year", "columns-year-country", "columns-all"
    }  # fmt: skip
    assert dataset.details_info is not None
    assert specs["both"].details_digest == dataset.details_info.digest
    assert specs["base"].details_digest == ""
    assert specs["base"].train_base_rate == specs["both"].train_base_rate == 0.4
    assert specs["known"].train_base_rate != 0.4
    other = msgspec.structs.replace(specs["known"], details_digest="other")
    assert other.digest != specs["known"].digest


def test_data_without_details_leaves_such_variants_out_unless_they_are_named(
    bare: Dataset,
) -> None:
    planned = plan_of(bare)
    assert [spec.variant.name for spec in planned.specs] == ["base"]
    assert "Left out, for the data has no details: both, known, columns-year" in planned.notes[0]
    with pytest.raises(UserError, match=r"both: takes details, and .* has none; `data build --det"):
        plan_of(bare, "both")


def test_a_missing_column_is_named_before_anything_is_queued(bare: Dataset) -> None:
    study = '[variants.mine]\ninputs = "details"\ndetails = ["keyword"]'
    with pytest.raises(UserError, match="mine: the details have no column keyword; close: keyw"):
        plan_of(add_details(bare), study=study)


def test_training_posters_without_any_details_are_named(bare: Dataset) -> None:
    with pytest.raises(UserError, match="no poster in the training cohorts has details"):
        plan_of(add_details(bare, share=0.0), "known")
