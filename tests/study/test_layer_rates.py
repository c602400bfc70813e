"""`backbone_rate` as one number or a table of layer groups."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from postertui.dashboard.launching.variant_texts import make_variant, start_texts
from postertui.data.backbones import Backbone, check_layers
from postertui.runs.spec import parse_spec
from postertui.study import Variant
from postertui.study.files import load_study, parse_study
from postertui.study.saving import save_variant
from postertui.system.errors import UserError
from tests.support.specs import made_spec

STUDY = """
[base]
[variants.groups]
train_from = "block4_conv1"
backbone_rate = { block5 = 0.1, block4 = 0.01, block5_conv3 = 1 }
[grid.rate]
train_from = "block5_conv3"
backbone_rate = [0.1, { block5 = 0.5 }]
"""
LAYERS = tuple(f"block{b}_conv{c}" for b in (3, 4, 5) for c in (1, 2, 3))
VGG = Backbone(
    name="vgg", title="VGG", side=48, min_side=32, layers=LAYERS,
    weights_file="", weights_url="", weights_hash="",
)  # fmt: skip


def test_the_longest_group_that_fits_a_layer_counts() -> None:
    groups = parse_study(STUDY, "s.toml").variants["groups"]
    rates = {layer: groups.rate_of_layer(layer) for layer in LAYERS[2:]}
    assert rates == {
        "block3_conv3": 1.0,
        "block4_conv1": 0.01, "block4_conv2": 0.01, "block4_conv3": 0.01,
        "block5_conv1": 0.1, "block5_conv2": 0.1, "block5_conv3": 1.0,
    }  # fmt: skip
    assert Variant(name="x", backbone_rate=0.1).rate_of_layer("block5_conv1") == 0.1


def test_a_table_is_kept_in_grids_forms_files_and_runs(tmp_path: Path) -> None:
    study = parse_study(STUDY, "s.toml")
    assert list(study.variants) == ["base", "groups", "rate-0.1", "rate-block5-0.5"]
    groups = study.variants["groups"]
    texts = start_texts(groups)
    assert texts["backbone_rate"] == "{ block5 = 0.1, block4 = 0.01, block5_conv3 = 1.0 }"
    again = make_variant("again", texts | {"fc1": "64"}, study.base, {})
    assert again == msgspec.structs.replace(groups, name="again", family="again", fc1=64)
    save_variant(tmp_path / "saved.toml", again)
    assert load_study(tmp_path / "saved.toml").variants["again"] == again
    spec = made_spec(groups)
    assert parse_spec(msgspec.json.encode(spec)) == spec


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("2", "2 is not a number above 0 and up to 1, or a table"),
        ("{ block5 = 0 }", "block5 = 0 is not part of"),
        ('{ block5 = "x" }', 'block5 = "x" is not part of'),
        ("{}", "an empty table"),
        ("[]", "[] is not a number above 0"),
    ],
)
def test_an_invalid_factor_is_reported_with_its_line(value: str, problem: str) -> None:
    with pytest.raises(UserError, match=r"s\.toml:2: variants\.x\.backbone_rate: ") as caught:
        parse_study(f"[variants.x]\nbackbone_rate = {value}", "s.toml")
    assert problem in str(caught.value)


def test_groups_that_are_not_there_or_do_not_train_are_refused() -> None:
    def check(rates: tuple[tuple[str, float], ...], **fields: str | int) -> None:
        check_layers(VGG, Variant(name="x", network="vgg", backbone_rate=rates, **fields))  # type: ignore[arg-type]

    check((("block5", 0.1), ("block4_conv3", 0.1)), train_from="block4_conv3")
    with pytest.raises(UserError, match="x: VGG has no layer blok5_conv1; close: block5_conv1"):
        check((("blok5_conv1", 0.1),), train_from="block4_conv3")
    with pytest.raises(UserError, match="x: backbone_rate: block4 does not train"):
        check((("block4", 0.1),), trainable_layers=3)


def test_fields_that_would_be_without_effect_are_refused() -> None:
    both = '[variants.x]\nbalance = "mirror-positives"\naugment = "mirror"'
    with pytest.raises(UserError, match=r"s\.toml:3: variants\.x\.augment: mirror shows mirror im"):
        parse_study(both, "s.toml")
    with pytest.raises(UserError, match=r"s\.toml:2: grid\.x\.fc1: an empty list makes no variant"):
        parse_study("[grid.x]\nfc1 = []", "s.toml")
