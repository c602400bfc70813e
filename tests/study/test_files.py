"""A person's own study: what a file may say, and what is said about a mistake in it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.study import Decay, Plateau, Variant, load_study
from postertui.study.files import parse_study
from postertui.study.saving import save_variant
from postertui.system.errors import UserError

OWN = """\
name = "mine"
genres = ["Comedy", "Film Noir"]
train_cohorts = [0, 1]
test_cohorts = [9]
seeds = 3
mode = "published"
rarity = 0.01

[base]
fc1 = 32
fc2 = 8
regularizer = "l2"
strength = 0.001
batch_size = 64
epochs = 5
early_stopping = 2

[variants.slow]
learning_rate = 1e-4
schedule = { kind = "plateau", factor = 0.5, patience = 2, min_rate = 1e-6 }

[variants."wide.2"]
fc1 = 64
frozen_layers = 17
"""


def test_every_key_of_a_study() -> None:
    study = parse_study(OWN, "mine.toml")
    assert study.name == "mine"
    assert study.genres == ("Comedy", "Film Noir")
    assert (study.train_cohorts, study.test_cohorts) == ((0, 1), (9,))
    assert (study.seeds, study.mode, study.rarity) == (3, "published", 0.01)
    assert list(study.variants) == ["base", "slow", "wide.2"]
    slow = study.variants["slow"]
    assert (slow.fc1, slow.fc2, slow.strength, slow.early_stopping) == (32, 8, 0.001, 2)
    assert slow.schedule == Plateau(factor=0.5, patience=2, min_rate=1e-6)
    assert slow.family == "slow"
    assert study.variants["wide.2"].frozen_layers == 17


def test_an_empty_file_is_the_home_base_of_2017() -> None:
    study = parse_study("", "nothing.toml")
    assert study.name == "nothing"
    assert study.variants == {"base": Variant(name="base")}


def changed(old: str, new: str) -> str:
    assert old in OWN
    return OWN.replace(old, new, 1)


MISTAKES = {
    "unknown key": (changed("seeds = 3", "seed = 3"), 5, "seed", "seeds"),
    "unknown hyper-parameter": (changed("fc2 = 8", "fc3 = 8"), 11, "base.fc3", "fc2"),
    "choice": (changed('"l2"', '"l3"'), 12, "base.regularizer", "none, l1, l2"),
    "number": (changed("= 64\nepochs", '= "64"\nepochs'), 14, "base.batch_size", "whole number"),
    "range": (
        changed("frozen_layers = 17", "frozen_layers = 20"),
        24,
        "variants.wide.2.frozen_layers",
        "from 0 to 19",
    ),
    "random key": (changed("seeds = 3", 'random_key = "dice"'), 5, "random_key", "seed-genre"),
    "fraction": (changed("rarity = 0.01", "rarity = 3"), 7, "rarity", "0 to below 1"),
    "boolean": (changed("seeds = 3", "seeds = true"), 5, "seeds", "at least 1"),
    "cohort": (changed("[0, 1]", "[0, 10]"), 3, "train_cohorts", "0 to 9"),
    "both": (changed("[9]", "[1]"), 4, "test_cohorts", "is in more than one of"),
    "mode": (changed('"published"', '"public"'), 6, "mode", "sound, published"),
    "genres": (changed('["Comedy", "Film Noir"]', '"Comedy"'), 2, "genres", "list"),
    "schedule kind": (
        changed('kind = "plateau"', 'kind = "cosine"'),
        20,
        "variants.slow.schedule",
        "constant, decay, plateau",
    ),
    "schedule key": (
        changed("patience = 2", "patient = 2"),
        20,
        "variants.slow.schedule",
        "patience",
    ),
    "not TOML": (changed("seeds = 3", "seeds = "), 5, "not TOML", ""),
    "base as a variant": (OWN + "[variants.base]\nfc1 = 3\n", 25, "variants.base", "[base]"),
    "a name that is a path": (
        OWN + '[variants."../up"]\nfc1 = 3\n',
        25,
        "variants.../up",
        "letters, digits",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_file_line_key_and_what_is_allowed(mistake: str) -> None:
    text, line, key, allowed = MISTAKES[mistake]
    with pytest.raises(UserError) as caught:
        parse_study(text, "mine.toml")
    message = str(caught.value)
    assert message.startswith(f"mine.toml:{line}: ")
    assert key in message
    assert allowed in message
    assert "\n" not in message
    assert caught.value.exit_code == 2


@given(st.text(max_size=300) | st.lists(st.sampled_from(OWN.splitlines())).map("\n".join))
def test_any_text_is_a_study_or_a_message(text: str) -> None:
    try:
        study = parse_study(text, "any.toml")
    except UserError as error:
        assert str(error).startswith("any.toml")
    else:
        assert next(iter(study.variants)) == "base"


@given(
    st.sampled_from(["fc1", "strength", "schedule", "loss", "family", "epochs", "early_stopping"]),
    st.one_of(
        st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers())
    ),
)
def test_any_value_is_accepted_as_typed_or_refused_by_name(key: str, value: object) -> None:
    from postertui.study import check_variant

    try:
        variant = check_variant("v", {key: value})
    except ValueError as error:
        assert str(error).startswith(f"{key}: ")
    else:
        assert key == "schedule" or getattr(variant, key) == value


def test_variants_are_chosen_by_name_and_glob() -> None:
    study = load_study("milestone4")
    assert [v.name for v in study.select(["l2-*"])] == [f"l2-1e-{n}" for n in (2, 3, 4, 5, 6)]
    assert [v.name for v in study.select(["BCE", "base"])] == ["base", "bce"]
    with pytest.raises(UserError, match=r'"fc-256".*close: fc-256x4') as caught:
        study.select(["fc-256"])
    assert caught.value.exit_code == 2
    with pytest.raises(UserError, match="matches") as caught:
        study.select(["nothing-*"])
    assert caught.value.exit_code == 3


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"milestone4.*no such file"):
        load_study("milestone5")
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        load_study(binary)


def test_a_new_variant_is_added_to_the_file_which_otherwise_stays(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    before = load_study(path)
    new = Variant(
        name="new",
        family="new",
        fc1=32,
        fc2=16,
        regularizer="none",
        strength=0.0,
        batch_size=64,
        epochs=5,
        early_stopping=2,
        schedule=Decay(hold=1, factor=0.9),
    )
    save_variant(path, new)
    after = load_study(path)
    assert path.read_text().startswith(OWN)
    assert after.variants == {**before.variants, "new": new}
    save_variant(path, new)
    with pytest.raises(UserError, match="already"):
        save_variant(path, Variant(name="new"))


def test_a_built_in_study_is_not_written_to() -> None:
    from postertui.study.files import BUILTIN

    with pytest.raises(UserError, match="built in"):
        save_variant(BUILTIN / "milestone4.toml", Variant(name="new"))


def test_a_grid_makes_a_variant_of_each_combination() -> None:
    study = parse_study(
        'name = "mine"\n[base]\nepochs = 3\n'
        '[grid.reg]\nregularizer = "l2"\nstrength = [1e-6, 1e-5]\n'
        '[grid.head]\nfc1 = [64, 1024]\noptimizer = ["adam", "sgd"]\nbatch_size = 64\n',
        "mine.toml",
    )
    assert list(study.variants) == [
        *("base", "reg-1e-6", "reg-1e-5"),
        *("head-64-adam", "head-64-sgd", "head-1024-adam", "head-1024-sgd"),
    ]
    assert study.variants["reg-1e-5"] == msgspec.structs.replace(
        study.base, name="reg-1e-5", family="reg", regularizer="l2", strength=1e-5
    )
    last = study.variants["head-1024-sgd"]
    assert (last.fc1, last.optimizer, last.batch_size, last.epochs) == (1024, "sgd", 64, 3)
    assert last.family == "head"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[grid.a]\nfc3 = [1]\n", "mine.toml:2: grid.a.fc3: unknown key"),
        ("[grid.a]\nfc1 = [0]\n", "mine.toml:2: grid.a.fc1: 0 is not"),
        ("[variants.a-4]\nfc1 = 4\n[grid.a]\nfc2 = [4]\n", "makes a variant a-4"),
    ],
)
def test_a_grids_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_study(text, "mine.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            'frozen_layers = 17\ntrain_from = "block5_conv3"',
            "train_from: contradicts frozen_layers",
        ),
        ('network = "resnet50"\nfrozen_layers = 17', "frozen_layers: counts VGG16"),
        ('network = "ResNet 50"', "not the name of a network of keras.applications"),
        ('network = "scratch"\ntrainable_layers = 2', "scratch has no backbone"),
    ],
)
def test_fields_that_contradict_each_other(fields: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_study(f"[variants.mine]\n{fields}\n", "mine.toml")
