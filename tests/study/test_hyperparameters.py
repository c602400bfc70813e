"""A hyper-parameter's one declaration, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from postertui.study import Constant, Variant, load_study, variant_fields
from postertui.study.field import Described, Field, declared_fields
from postertui.study.files import parse_study
from postertui.system.errors import UserError

STUDIES = Path(__file__).resolve().parents[2] / "docs" / "studies.md"


#: Fields that the built-in study of 2017 does without.
LATER = {f.name for f in variant_fields() if not f.is_original} - {"family"}


class Declared(msgspec.Struct):
    """What a newcomer would write."""

    name: str
    width: Annotated[int, Described("of it", minimum=1, maximum=8)] = 4
    rate: Annotated[float, Described("", minimum=0, maximum=1, exclusive_maximum=True)] = 0.5
    shape: Annotated[Literal["round", "square"], Described()] = "round"
    is_open: Annotated[bool, Described()] = False
    limit: Annotated[float | None, Described(minimum=1)] = None


def field(name: str) -> Field:
    return next(field for field in declared_fields(Declared) if field.name == name)


def test_a_field_follows_from_its_declaration() -> None:
    assert [(f.name, f.kind, f.default) for f in declared_fields(Declared)] == [
        ("width", "int", 4),
        ("rate", "float", 0.5),
        ("shape", "choice", "round"),
        ("is_open", "bool", False),
        ("limit", "float", None),
    ]
    assert field("width").help == "of it"
    assert field("shape").choices == ("round", "square")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width", 9, "9 is not a whole number from 1 to 8"),
        ("width", 2.0, "2.0 is not a whole number from 1 to 8"),
        ("rate", 1, "1 is not a number from 0 to below 1"),
        ("shape", "oval", '"oval" is not one of round, square'),
        ("is_open", 1, "1 is not true or false"),
        ("limit", 0.5, "0.5 is not a number of at least 1"),
    ],
)
def test_a_value_outside_its_limits_is_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        field(name).check(value)


def test_every_field_is_declared_but_the_name_and_the_files_of_functions() -> None:
    described = {field.name for field in variant_fields()}
    assert set(Variant.__struct_fields__) - described == {"name", "code"}
    assert all(field.help for field in variant_fields())


@pytest.mark.parametrize("name", sorted(LATER))
def test_a_user_finds_each_field_that_2017_lacked_in_the_documents(name: str) -> None:
    text = STUDIES.read_text(encoding="utf-8")
    assert f"`{name}`" in text or f"`{name} = " in text


def test_a_field_of_a_later_version_leaves_the_digest_of_older_runs_alone() -> None:
    assert Variant(name="base").identity == {
        "network": "vgg16",
        "frozen_layers": 19,
        "fc1": 256,
        "fc2": 256,
        "regularizer": "l1",
        "strength": 1e-5,
        "loss": "fscore",
        "learning_rate": 1e-3,
        "schedule": msgspec.to_builtins(Constant()),
        "batch_size": 256,
        "epochs": 10,
        "early_stopping": 0,
    }
    assert "dropout" in Variant(name="base", dropout=0.1).identity


def test_a_key_of_an_earlier_version_is_read_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text('seeds = 2\nshare = "group"\n', encoding="utf-8")
    study = load_study(path)
    assert study.runs_access == "group"
    assert study.notes == (f"{path}:2: share is called runs_access now; the old name still works",)
    path.write_text('runs_access = "group"\n', encoding="utf-8")
    assert (load_study(path).runs_access, load_study(path).notes) == ("group", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('share = "fc1"\n', r"mine.toml:1: share: is a variant's; write it below \[base\]"),
        ('runs_access = "group"\nshare = "group"\n', "mine.toml:2: share: is the former name of"),
        ('share = "all"\n', 'mine.toml:1: runs_access: "all" is not "group"; leave it out'),
    ],
)
def test_a_former_key_in_the_wrong_place_is_named(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_study(text, "mine.toml")
