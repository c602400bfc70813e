"""The study of 2017 as it is built in: names, families and what each variant changes."""

from __future__ import annotations

import msgspec
import pytest

from postertui.study import Constant, Decay, Plateau, Variant, load_study

#: Name to the family in the published table, and everything that differs from base; in the order
#: of the design.
CHANGES: dict[str, tuple[str, dict[str, object]]] = {
    "base": ("base", {}),
    "fc-256x4": ("base", {"fc2": 4}),
    "fc-256x64": ("base", {"fc2": 64}),
    "fc-1024x64": ("base", {"fc1": 1024, "fc2": 64}),
    "fc-1024x256": ("base", {"fc1": 1024}),
    "fc-4096x4096": ("base", {"fc1": 4096, "fc2": 4096, "epochs": 20}),
    "no-reg": ("regularizer", {"regularizer": "none", "strength": 0.0}),
    "l1-0": ("regularizer L1", {"strength": 0.0}),
    "l1-1e-4": ("regularizer L1", {"strength": 1e-4}),
    "l1-1e-6": ("regularizer L1", {"strength": 1e-6}),
    "l2-1e-2": ("regularizer L2", {"regularizer": "l2", "strength": 1e-2}),
    "l2-1e-3": ("regularizer L2", {"regularizer": "l2", "strength": 1e-3}),
    "l2-1e-4": ("regularizer L2", {"regularizer": "l2", "strength": 1e-4}),
    "l2-1e-5": ("regularizer L2", {"regularizer": "l2"}),
    "l2-1e-6": ("regularizer L2", {"regularizer": "l2", "strength": 1e-6}),
    "bce": ("BCE loss", {"loss": "bce"}),
    "bce-no-reg": ("BCE loss No Reg", {"loss": "bce", "regularizer": "none", "strength": 0.0}),
    "lr-decay": ("LR decay", {"learning_rate": 0.1, "schedule": Decay(hold=6, factor=0.5)}),
    "reduce-lr": (
        "Reduce LR on Plateau",
        {"schedule": Plateau(factor=0.2, patience=1, min_rate=1e-3)},
    ),
    "reduce-lr-100": (
        "100 epochs Reduce LR on Plateau",
        {"schedule": Plateau(factor=0.2, patience=1, min_rate=1e-3), "epochs": 100},
    ),
    "batch-64": ("batch64", {"batch_size": 64}),
    "batch-128": ("batch128", {"batch_size": 128}),
    "scratch": ("scratch", {"network": "scratch"}),
    "frozen-16": ("VGG w/16 frozen layers", {"frozen_layers": 16}),
    "frozen-17": ("VGG w/17 frozen layers", {"frozen_layers": 17}),
}


def test_the_names_are_the_designs() -> None:
    assert list(load_study("milestone4").variants) == list(CHANGES)


def test_base_is_the_home_base_of_2017() -> None:
    base = load_study("milestone4").base
    assert base == Variant(
        name="base",
        family="base",
        network="vgg16",
        frozen_layers=19,
        fc1=256,
        fc2=256,
        regularizer="l1",
        strength=1e-5,
        loss="fscore",
        learning_rate=1e-3,
        schedule=Constant(),
        batch_size=256,
        epochs=10,
        early_stopping=0,
    )


@pytest.mark.parametrize("name", CHANGES)
def test_each_variant_changes_what_the_table_of_2017_says(name: str) -> None:
    study = load_study("milestone4")
    family, changes = CHANGES[name]
    expected = msgspec.structs.replace(study.base, name=name, family=family, **changes)
    assert study.variants[name] == expected


@pytest.mark.parametrize(
    ("name", "label"),
    [("base", "L1=1e-5"), ("l1-0", "L1=0"), ("l2-1e-2", "L2=1e-2"), ("no-reg", "NoReg")],
)
def test_regularizer_labels_are_the_published_tables(name: str, label: str) -> None:
    assert load_study("milestone4").variants[name].regularizer_label == label


def test_it_trains_on_cohort_0_tests_on_cohort_2_and_leaves_rare_genres_out() -> None:
    study = load_study("milestone4")
    assert (study.train_cohorts, study.test_cohorts) == ((0,), (2,))
    assert study.rarity == 0.03
    assert study.seeds == 1
    assert study.mode == "sound"
