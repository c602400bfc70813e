"""Variants made in the form: texts as typed, names, and what is saved."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input, Select, SelectionList

from postertui.dashboard.dialogs.variant_editor import VariantScreen, find_fields
from postertui.dashboard.launching.variant_texts import (
    check_texts,
    make_variant,
    name_from_texts,
    parse_value,
    start_texts,
    to_text,
)
from postertui.dashboard.screens.launch import LaunchScreen
from postertui.study import Variant, check_variant, load_study, variant_fields
from tests.support.dashboard_driver import LARGE, both_sizes, dashboard
from tests.support.launch_form import open_form, use_random_weights

MILESTONE = load_study("milestone4")
FIELDS = {field.name: field for field in variant_fields()}


@pytest.mark.parametrize("name", MILESTONE.variants)
def test_every_variant_reads_back_from_its_own_texts(name: str) -> None:
    variant = MILESTONE.variants[name]
    assert check_texts(start_texts(variant), variant) == ({}, {})


@given(st.data())
def test_what_the_form_shows_it_reads_back(data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(list(FIELDS.values())))
    match field.kind:
        case "int":
            value: Any = data.draw(st.integers(int(field.minimum or 0), int(field.maximum or 999)))
        case "float":
            low, high = max(field.minimum or 0, 1e-300), min(field.maximum or 1e300, 1e300)
            value = data.draw(st.floats(low, high))
        case "bool":
            value = data.draw(st.booleans())
        case "choice":
            value = data.draw(st.sampled_from(field.choices))
        case "schedule":
            kind = data.draw(st.sampled_from(["constant", "decay", "plateau"]))
            factor = data.draw(st.floats(min_value=0.01, max_value=1))
            value = field.check(kind if kind == "constant" else {"kind": kind, "factor": factor})
        case "rates":
            layers = st.dictionaries(st.sampled_from(["block5", "a/b", "2"]), st.floats(0.01, 1))
            value = field.check(data.draw(st.one_of(st.floats(0.01, 1), layers.filter(bool))))
        case "names":
            value = tuple(data.draw(st.lists(st.sampled_from(["year", "a b"]), unique=True)))
        case _:
            value = "a family"
    assert parse_value(field, to_text(value)) == value


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("fc1", "many", "is not a whole number from 1 to 65536"),
        ("strength", "-1", "is not a number of at least 0"),
        ("loss", "hinge", "is not one of fscore, bce"),
        ("schedule", "{ kind = ", "not a table"),
        ("schedule", '{ kind = "decay", hold = -1 }', "hold: -1 is not"),
        ("epochs", "", "is not a whole number"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(field: str, text: str, says: str) -> None:
    texts = start_texts(MILESTONE.base) | {field: text}
    with pytest.raises(ValueError, match=f"{field}: .*{says}"):
        make_variant("mine", texts, MILESTONE.base, MILESTONE.variants)


def test_a_new_variant_is_new() -> None:
    base, known = MILESTONE.base, MILESTONE.variants
    wide = start_texts(base) | {"fc1": "512"}
    variant = make_variant("wide", wide, base, known)
    assert (variant.name, variant.family, variant.fc1) == ("wide", "wide", 512)
    with pytest.raises(ValueError, match="there is a variant l2-1e-4 already"):
        make_variant("l2-1e-4", wide, base, known)
    same = start_texts(base) | {"regularizer": "l2", "strength": "1e-4"}
    with pytest.raises(ValueError, match=r"exactly what l2-1e-4 trains"):
        make_variant("mine", same, base, known)


def test_fields_are_found_by_their_first_letters() -> None:
    assert find_fields(list(FIELDS), "le")[0] == "learning_rate"
    assert find_fields(list(FIELDS), "rate")[:2] == ["learning_rate", "backbone_rate"]
    assert find_fields(list(FIELDS), "nothing such") == []


def test_a_name_says_what_differs() -> None:
    start = start_texts(MILESTONE.base)
    texts = start | {"learning_rate": "3e-3", "regularizer": "none"}
    assert name_from_texts(texts, start) == "regularizer-none-lr-3e-3"
    assert name_from_texts(start, start) == ""


@both_sizes
@pytest.mark.usefixtures("supervisor_starts")
async def test_a_variant_is_made_from_another_and_saved(
    launch_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    monkeypatch.chdir(tmp_path)
    async with dashboard(tmp_path / "runs", size, data=launch_data, study="demo") as d:
        screen = await open_form(d)
        await use_random_weights(d, screen)
        await d.press("down", "n")
        editor = d.app.screen
        assert isinstance(editor, VariantScreen) and editor.start.name == "no-reg"
        await d.shows("change a field; without a name")
        name = editor.query_one("#variant-name", Input)
        for field in FIELDS:
            editor.query_one(f"#field-{field}").focus()
            await d.shows(field.replace("_", " "))
        name.focus()
        await d.write("wide")
        await d.shows("it would train exactly what no-reg trains")
        editor.query_one("#field-fc1", Input).value = "lots"
        await d.shows("is not a whole number")
        await d.press("ctrl+s")
        assert d.app.screen is editor and not (tmp_path / "my-demo.toml").exists()
        editor.query_one("#field-fc1", Input).value = "512"
        await d.shows("wide: fc1 512, regularizer none")
        await d.press("ctrl+s")
        await d.until(lambda: d.app.screen is screen, "the editor closed")
        await d.shows("[x] wide")
        await d.shows("6 to start of 6 runs")
        written = tomllib.loads((tmp_path / "my-demo.toml").read_text())["variants"]["wide"]
        saved = check_variant("wide", written, Variant(name="base"))
        assert (saved.fc1, saved.regularizer, saved.batch_size) == (512, "none", 32)
        assert screen.query_one("#variants", SelectionList).selected[-1] == "wide"


async def test_a_name_that_the_file_has_is_refused(
    launch_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-demo.toml").write_text("[variants.wide]\nfc1 = 64\n")
    async with dashboard(tmp_path / "runs", LARGE, data=launch_data, study="demo") as d:
        await open_form(d)
        await d.press("n", "shift+tab")
        await d.write("wide")
        d.app.screen.query_one("#field-fc1", Input).value = "512"
        await d.shows("wide: fc1 512")
        await d.press("ctrl+s")
        await d.shows("has a variant wide already")
        await d.press("escape")
        assert isinstance(d.app.screen, LaunchScreen)


@both_sizes
@pytest.mark.usefixtures("supervisor_starts")
async def test_another_learning_rate_takes_few_keys(
    launch_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.chdir(tmp_path)
    async with dashboard(tmp_path / "runs", size, data=launch_data, study="demo") as d:
        screen = await open_form(d)
        await use_random_weights(d, screen)
        await d.press("space", "n", *"le", "enter", *"3e-3")
        await d.shows("lr-3e-3: learning rate 0.003")
        await d.press("ctrl+s")
        await d.shows("[x] lr-3e-3")
        await d.shows("3 to start of 3 runs")
        assert "[ ] base" in d.text
        # Ticks survive another study and a form that is opened again; so does what was made.
        study = screen.query_one("#study", Select)
        study.value = "milestone4"
        await d.until(lambda: len(screen.form.variants()) > 20, "the other study")
        study.value = "demo"
        await d.until(lambda: "lr-3e-3" in screen.form.variants(), "the study from before")
        await d.shows("3 to start of 3 runs")
        await d.press("escape")
        screen = await open_form(d)
        await d.until(lambda: screen.form.study_key == "demo", "the study chosen again")
        await d.until(
            lambda: screen.query_one("#variants", SelectionList).selected == ["lr-3e-3"],
            "only the new variant ticked",
        )
