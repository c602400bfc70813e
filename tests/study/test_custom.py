"""Functions of the user's own in a study's file: found, checked, never executed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from postertui.runs.spec import RunSpec, parse_spec
from postertui.study import Variant, check_variant, load_study, save_variant
from postertui.system.errors import UserError
from tests.support.custom_code import documented_functions

STUDY = """
[variants.mine]
{field} = "{value}"
"""

FILE = "raise SystemExit('executed')\n\n\ndef build(x, variant):\n    return x\n"


def load(folder: Path, value: str, field: str = "network", text: str = FILE) -> Variant:
    (folder / "mine.py").write_text(text)
    study = folder / "study.toml"
    study.write_text(STUDY.format(field=field, value=value))
    return load_study(study).variants["mine"]


def test_a_function_is_shown_as_file_and_name_and_its_content_is_the_runs(tmp_path: Path) -> None:
    variant = load(tmp_path, "mine.py:build")
    assert variant.network == "mine.build"
    assert variant.identity["code"][0]["name"] == "mine"
    again = load(tmp_path, "./mine.py:build")
    assert again == variant
    changed = load(tmp_path, "mine.py:build", text=FILE + "\n")
    assert changed.identity != variant.identity


def test_identities_of_runs_without_functions_are_what_they_were() -> None:
    assert "code" not in Variant(name="x").identity
    assert "backbone" not in Variant(name="x").identity


def test_a_path_is_relative_to_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "heads.py").write_text(FILE)
    study = tmp_path / "studies/a.toml"
    study.write_text(STUDY.format(field="network", value="../heads.py:build"))
    monkeypatch.chdir(tmp_path)
    assert load_study(study).variants["mine"].network == "heads.build"
    assert load_study("studies/a.toml").variants["mine"].network == "heads.build"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("mine.py:biuld", "no function biuld; close: build"),
        ("mine.py:zzz", "no function zzz; there are: build"),
        ("mien.py:build", "mien.py: no such file; close: mine.py"),
        ("https://example.org/mine.py:build", "is an address"),
        ("mine.py", "is not FILE.py:FUNCTION"),
        ("mine.py:build()", "is not FILE.py:FUNCTION"),
        ("mine.pyc:build", "is not FILE.py:FUNCTION"),
        ("folder.py:build", "Is a directory"),
        ("pipe.py:build", "not a regular file"),
        ("big.py:build", "is larger than"),
        ("a b.py:build", "name the file with"),
    ],
)
def test_a_missing_function_is_reported_with_the_studys_line(
    tmp_path: Path, value: str, what: str
) -> None:
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "big.py").write_bytes(b"#" * 300_000)
    (tmp_path / "a b.py").write_text(FILE)
    with pytest.raises(UserError, match=r"study\.toml:3: variants\.mine\.network: ") as caught:
        load(tmp_path, value)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("def build(x, variant)\n    pass\n", "mine.py:1: expected ':'"),
        ("\n\ndef build(x):\n    pass\n", "mine.py:3: build is not called as build(x, variant)"),
        ("def build(x, *, variant):\n    pass\n", "mine.py:1: build is not called as"),
        ("class build:\n    pass\n", "mine.py:1: build is not a plain function"),
        ("x = '\0'\n", "mine.py"),
    ],
)
def test_a_file_is_checked_before_anything_is_queued(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(UserError, match=r"study\.toml:3") as caught:
        load(tmp_path, "mine.py:build", text=text)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "from elsewhere import build\n",
        "from elsewhere import *\n",
        "build = make()\n",
        "if True:\n    def build(x, variant): pass\n",
        "def build(*all): pass\n",
        "def build(x, variant, more=1): pass\n",
    ],
)
def test_functions_that_come_about_in_other_ways_are_found(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, "mine.py:build", text=text).network == "mine.build"


def test_each_field_takes_functions_and_labels_say_which(tmp_path: Path) -> None:
    text = documented_functions()
    assert load(tmp_path, "mine.py:focal", "loss", text).loss == "mine.focal"
    variant = load(tmp_path, "mine.py:group_lasso", "regularizer", text)
    assert variant.regularizer_label == "mine.group_lasso=1e-5"
    with pytest.raises(UserError, match="focal is not called as focal"):
        load(tmp_path, "mine.py:focal", "network", text)


def test_a_grid_names_its_variants_by_function(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE + "\n\nwide = build\n")
    study = tmp_path / "s.toml"
    study.write_text('[grid.net]\nnetwork = ["mine.py:build", "mine.py:wide", "scratch"]\n')
    assert list(load_study(study).variants)[1:] == [
        *("net-mine.build", "net-mine.wide", "net-scratch"),
    ]


def test_two_files_of_one_name_in_one_variant_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/mine.py").write_text(documented_functions())
    study = tmp_path / "s.toml"
    study.write_text(
        '[base]\nnetwork = "mine.py:build"\n[variants.two]\nloss = "b/mine.py:focal"\n'
    )
    with pytest.raises(UserError, match=r"s\.toml:4: .* two different files called mine\.py"):
        load_study(study)


def test_a_form_keeps_functions_and_cannot_invent_them(tmp_path: Path) -> None:
    base = load(tmp_path, "mine.py:build")
    changed = check_variant("more", {"fc1": 7}, base)
    assert changed.code == base.code
    assert check_variant("less", {"network": "vgg16"}, base).code == ()
    with pytest.raises(ValueError, match=r'loss: .* "other\.py:focal"'):
        check_variant("more", {"loss": "other.focal"}, base)
    save_variant(tmp_path / "study.toml", changed)
    assert load_study(tmp_path / "study.toml").variants["more"] == changed
    with pytest.raises(UserError, match=r"names no function of mine\.py"):
        save_variant(tmp_path / "new.toml", changed)
    assert not (tmp_path / "new.toml").exists()


@pytest.mark.parametrize(("field", "function"), [("network", "build"), ("loss", "focal")])
def test_a_classical_model_takes_no_functions(tmp_path: Path, field: str, function: str) -> None:
    (tmp_path / "mine.py").write_text(documented_functions())
    study = tmp_path / "s.toml"
    study.write_text(f'[variants.x]\nmodel = "logistic"\n{field} = "mine.py:{function}"\n')
    with pytest.raises(UserError, match=rf"s\.toml:3: .*{field}: model logistic takes no function"):
        load_study(study)


def test_backbone_belongs_to_a_custom_network(tmp_path: Path) -> None:
    assert check_variant("a", {"backbone": "none"}, load(tmp_path, "mine.py:build"))
    with pytest.raises(ValueError, match="backbone: of a network of your own"):
        check_variant("a", {"backbone": "resnet50"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", [{"name": "../../x", "sha256": "0" * 64}]),
        ("code", [{"name": "x", "sha256": "0" * 63 + "\n"}]),
        ("code", [{"name": "x\n", "sha256": "0" * 64}]),
        ("loss", "mine.py:loss"),
        ("loss", "os.path.join"),
        ("regularizer", "l3"),
    ],
)
def test_a_run_json_cannot_name_anything_else(field: str, value: object) -> None:
    weights = {"kind": "random", "digest": "0" * 32}
    spec = {
        "variant": {"name": "x", field: value},
        "genre": "G",
        "seed": 0,
        "study": "s",
        "data": "/d",
        "data_fingerprint": "f",
        "weights": weights,
        "train_base_rate": 0.5,
        "test_base_rate": 0.5,
    }
    with pytest.raises(ValueError, match=field):
        parse_spec(msgspec.json.encode(spec))
    del spec["variant"][field]  # type: ignore[attr-defined]
    assert isinstance(parse_spec(msgspec.json.encode(spec)), RunSpec)
