"""Names of runs come from people and files; whatever they are, they stay inside `runs/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.runs.run_names import is_run_name, list_runs, run_folder
from postertui.runs.spec import read_spec, write_spec
from postertui.study import Variant
from postertui.system.errors import UserError
from postertui.system.text import slugify
from tests.support.supervisor import make_spec

HOSTILE = (
    "..", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "x\0y", "a" * 300, ".", ".ssh", "~root",
    "", " ", "-", "--", "con", "\u202egnp.exe", "\uff0e\uff0e\uff0f", "\u2024\u2024/", "cafe\u0301",
    "$(id)", "`id`", "\n", "\x1b[31m", "日本", "🎬",
)  # fmt: skip

names = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=400))


def hostile_spec(genre: str, variant: str, seed: int) -> Any:
    return make_spec(genre, seed=seed, variant=variant)


@given(genre=names, variant=names, seed=st.integers(0, 2**40))
def test_folder_of_any_spec_is_a_run_name_and_stays_inside(
    genre: str, variant: str, seed: int
) -> None:
    try:
        spec = hostile_spec(genre, variant, seed)
    except UserError:
        return  # refused before it could name anything
    assert re.fullmatch(r"[a-z0-9_-][a-z0-9._-]{0,63}", spec.run, re.ASCII)
    base = Path("/somewhere/runs")
    assert run_folder(base, spec.run).parent == base
    assert run_folder(base, spec.run).resolve().is_relative_to(base)


@given(text=names)
def test_slug_is_plain_and_never_hidden(text: str) -> None:
    slug = slugify(text)
    assert re.fullmatch(r"[a-z0-9_-][a-z0-9._-]*", slug, re.ASCII)
    assert slugify(slug) == slug


@given(text=names)
def test_only_names_that_a_spec_can_have_lead_anywhere(text: str) -> None:
    base = Path("/somewhere/runs")
    if is_run_name(text):
        assert run_folder(base, text) == base / text
        assert "/" not in text
        assert text not in (".", "..")
    else:
        with pytest.raises(UserError) as caught:
            run_folder(base, text)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", [n for n in HOSTILE if n not in ("-", "--", "con")])
def test_hostile_names_are_none(name: str) -> None:
    assert not is_run_name(name)


def test_equal_specs_have_one_name_and_different_ones_two() -> None:
    a, b = make_spec("Comedy"), make_spec("Comedy", created=5.0, versions={"keras": "3"})
    assert a.run == b.run
    others = [
        make_spec("Drama"),
        make_spec("comedy"),
        make_spec("Comedy", seed=1),
        make_spec("Comedy", epochs=6),
        make_spec("Comedy", data_fingerprint="1" * 8),
        make_spec("Comedy", train_cohorts=(0, 1)),
        make_spec("Comedy", mode="published"),
    ]
    assert len({a.run, *(spec.run for spec in others)}) == 8


def test_name_of_the_variant_is_for_people_and_does_not_identify() -> None:
    a = make_spec(variant="base")
    b = make_spec(variant=Variant(name="x").name)
    assert a.run != b.run
    assert a.digest == b.digest


def test_links_out_of_the_folder_are_no_runs(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    spec = make_spec()
    write_spec(elsewhere, spec)
    folder.mkdir()
    (folder / "linked").symlink_to(elsewhere / spec.run)
    (folder / ".hidden").mkdir()
    (folder / "file").touch()
    write_spec(folder, spec)
    assert list_runs(folder) == {spec.run}


def test_spec_is_written_once_and_whole(tmp_path: Path) -> None:
    spec = make_spec("Ünïcode \x1b[31m", variant="ü")
    assert write_spec(tmp_path, spec)
    assert not write_spec(tmp_path, spec)
    assert read_spec(tmp_path / spec.run) == spec
    assert not list(tmp_path.glob(".new-*"))
