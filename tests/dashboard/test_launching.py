"""The form that starts runs: what it says before, what it queues, and variants made in it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input, Select, SelectionList

from postertui.dashboard.dialogs.variant_editor import VariantScreen, find_fields
from postertui.dashboard.launching.choices import queue_slots
from postertui.dashboard.launching.draft import (
    LaunchDraft,
    LaunchNumbers,
    check_numbers,
    find_studies,
    usual_study,
    usual_weights,
    what_differs,
    whole_number,
)
from postertui.dashboard.launching.preview import LaunchPreview, describe, preview_launch
from postertui.dashboard.launching.variant_texts import (
    check_texts,
    make_variant,
    name_from_texts,
    parse_value,
    start_texts,
    to_text,
)
from postertui.dashboard.screens.launch import LaunchScreen
from postertui.data.dataset import Dataset
from postertui.data.posters import build_dataset
from postertui.data.synthetic import make_posters
from postertui.data.weights import resolve_weights
from postertui.runs.store import Store
from postertui.study import Variant, check_variant, load_study, variant_fields
from postertui.supervisor import job_settings, requests
from postertui.supervisor.folder import Status
from postertui.supervisor.remaining import UNKNOWN_OVERHEAD
from postertui.system.errors import UserError
from postertui.system.processes import Process
from tests.support.dashboard_driver import LARGE, SMALL, Driver, both_sizes, dashboard

MILESTONE = load_study("milestone4")
FIELDS = {field.name: field for field in variant_fields()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of three genres."""
    folder = tmp_path_factory.mktemp("made")
    posters = make_posters(folder / "posters", 20)
    build_dataset(posters.posters, posters.labels, folder / "data")
    return folder / "data"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int | None]]:
    """Nothing trains; the jobs each supervisor was asked to run at a time."""
    asked: list[int | None] = []

    def ensure(_: Path, *, jobs: int | None = None) -> bool:
        asked.append(jobs)
        return True

    monkeypatch.setattr(requests, "ensure_supervisor", ensure)
    monkeypatch.setenv("POSTERTUI_TRAINER", "none:None")
    yield asked


# What is typed


def test_numbers_are_checked_as_typed() -> None:
    assert check_numbers("", " 3 ", "2", MILESTONE) == LaunchNumbers(MILESTONE.seeds, 3, 2)
    for text in ("0", "-1", "1.5", "x", "65", "9" * 5000, "٣"):
        with pytest.raises(ValueError, match="at a time: a whole number from 1 to 64"):
            whole_number(text, 64, what="at a time")


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
    with pytest.raises(ValueError, match=r"just what l2-1e-4 does"):
        make_variant("mine", same, base, known)


def test_what_a_variant_changes_is_said() -> None:
    assert what_differs(MILESTONE.variants["l2-1e-4"], MILESTONE.base) == (
        "regularizer l2, strength 0.0001"
    )
    assert what_differs(MILESTONE.base, MILESTONE.base) == "the base variant"


# What there is to choose from


def test_studies_are_the_built_in_ones_and_the_files_here(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\n')
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    studies = find_studies(tmp_path, "milestone4")
    assert list(studies) == ["milestone4", "demo", "ideas", "mine.toml"]
    with pytest.raises(UserError, match="unknown key"):
        find_studies(tmp_path, str(tmp_path / "pyproject.toml"))


def specs(data: Path, variants: tuple[str, ...] = ("base",)) -> LaunchPreview:
    study = MILESTONE
    chosen = tuple(study.variants[name] for name in variants)
    draft = LaunchDraft(study, chosen, ("Comedy", "Drama"), LaunchNumbers(2, epochs=4))
    return preview_launch(draft, Dataset.open(data), resolve_weights("random"), {}, 2)


def test_the_form_starts_with_what_the_newest_run_had(data: Path, tmp_path: Path) -> None:
    from postertui.supervisor import plan as launch

    launch.queue(tmp_path / "runs", specs(data).starting)
    store = Store(tmp_path / "runs")
    store.refresh()
    studies = find_studies(tmp_path, "demo")
    assert usual_study(store.runs.values(), studies, "demo") == "milestone4"
    assert usual_weights(store.runs.values()) == "random"
    assert (usual_study([], studies, "demo"), usual_weights([])) == ("demo", "imagenet")


# What would be started


def words(found: LaunchPreview) -> str:
    return "\n".join("".join(text for text, _ in line) for line in describe(found))


def test_the_preview_counts_what_is_there_and_how_long_the_rest_takes(
    data: Path, tmp_path: Path
) -> None:
    from postertui.supervisor import plan as launch
    from tests.support.dashboard_runs import MadeRuns

    study = MILESTONE
    base = study.variants["base"]
    dataset, weights = Dataset.open(data), resolve_weights("random")
    draft = LaunchDraft(study, (base,), ("Comedy", "Drama"), LaunchNumbers(1, epochs=4))
    new = preview_launch(draft, dataset, weights, {}, 2)
    assert "2 to start of 2 runs" in words(new)
    assert "no finished epoch yet" in words(new)

    made_runs = MadeRuns(tmp_path / "runs")
    launch.queue(made_runs.folder, new.starting)
    done, failed = (spec.run for spec in new.starting)
    made_runs.event(done, "start", 1.0, device="cpu", from_epoch=1)
    for epoch in range(1, 5):
        made_runs.epoch(done, epoch)  # 1.4 seconds each
    made_runs.end(done, "done")
    made_runs.event(failed, "start", 1.0, device="cpu", from_epoch=1)
    made_runs.end(failed, "failed", "killed")
    store = Store(made_runs.folder)
    store.refresh()

    again = LaunchDraft(study, (base,), ("Comedy", "Drama"), LaunchNumbers(1, epochs=4), again=True)
    unfinished = preview_launch(again, dataset, weights, store.runs, 2)
    assert [spec.run for spec in unfinished.starting] == [failed]
    assert "1 to start of 2 runs  1 done  1 to train again" in words(unfinished)
    kept = preview_launch(draft, dataset, weights, store.runs, 2)
    assert "0 to start" in words(kept) and "1 failed or cancelled" in words(kept)
    more = LaunchDraft(study, (base,), ("Comedy", "Drama"), LaunchNumbers(3, epochs=4, jobs=4))
    preview = preview_launch(more, dataset, weights, store.runs, 2)
    assert len(preview.starting) == 4
    # Each of the four jobs starts for one run, of four epochs of 1.4 seconds.
    assert preview.seconds == pytest.approx(4 * 1.4 + UNKNOWN_OVERHEAD)
    assert "about 5.8s by past runs, 4 at a time" in words(preview)


# The screen


async def form(d: Driver) -> LaunchScreen:
    await d.press("n")
    screen = d.app.screen
    assert isinstance(screen, LaunchScreen)
    await d.until(lambda: screen.choices is not None, "the data read")
    return screen


async def use_random_weights(d: Driver, screen: LaunchScreen) -> None:
    screen.query_one("#weights", Input).value = "random"
    await d.until(lambda: screen.planned is not None, "the plan")


@both_sizes
async def test_it_says_which_settings_a_supervisor_at_work_does_not_go_by(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.delenv("POSTERTUI_JOB_MEMORY_MB", raising=False)
    in_use = job_settings.job_settings(None) | {"CUDA_VISIBLE_DEVICES": "0"}
    at_work = Status(running=True, process=Process.current(), job_settings=in_use)
    monkeypatch.setattr(requests, "status", lambda *_, **__: at_work)
    async with dashboard(runs, size, data=data, study="demo") as d:
        screen = await form(d)
        await use_random_weights(d, screen)
        await d.shows("CUDA_VISIBLE_DEVICES=1 does not count")
        await d.shows("CUDA_VISIBLE_DEVICES=0")
        await d.shows("To have others count")
        await d.shows("resume`.")


@both_sizes
async def test_it_says_how_many_runs_and_starts_just_those(
    data: Path, tmp_path: Path, started: list[int | None], size: tuple[int, int]
) -> None:
    runs = tmp_path / "runs"
    async with dashboard(runs, size, data=data, study="demo") as d:
        screen = await form(d)
        await use_random_weights(d, screen)
        await d.shows("3 to start of 3 runs")
        assert "[x] base" in d.text and "[ ] no-reg" in d.text
        await d.press("down", "space")
        await d.shows("6 to start of 6 runs")
        await d.press("tab", "a")
        await d.shows("tick at least one variant and one genre")
        await d.press("space")
        await d.shows("2 to start of 2 runs")
        await d.press("ctrl+s")
        await d.until(lambda: d.app.screen is d.app.main, "the form closed")
        await d.shows("queued Comedy · base and 1 more (u undoes)")
        await d.until(lambda: d.shown == {"Comedy base", "Comedy no-reg"}, "the runs")
        assert started == [None]
        await d.press("u")
        await d.until(
            lambda: {run.state for run in d.app.model.runs.values()} == {"cancelled"},
            "the start undone",
        )
        await form(d)
        await d.shows("0 to start of 2 runs  2 failed or cancelled")


@pytest.mark.usefixtures("started")
async def test_mistakes_are_said_while_typing(data: Path, tmp_path: Path) -> None:
    async with dashboard(tmp_path / "runs", SMALL, data=data, study="demo") as d:
        screen = await form(d)
        screen.query_one("#weights", Input).value = "nowhere.h5"
        await d.shows("weights: imagenet, random or a file of VGG16's weights")
        await use_random_weights(d, screen)
        screen.query_one("#seeds", Input).value = "2000"
        await d.shows("seeds: a whole number from 1 to 1000")
        await d.press("ctrl+s")
        assert not (tmp_path / "runs").exists()
        await d.press("escape")
        assert d.app.screen is d.app.main


async def test_read_only_and_missing_data_start_nothing(data: Path, tmp_path: Path) -> None:
    async with dashboard(tmp_path / "runs", SMALL, data=data, study="demo", read_only=True) as d:
        await d.press("n")
        await d.shows("read-only")
        assert d.app.screen is d.app.main
        assert not (tmp_path / "runs").exists()
    async with dashboard(tmp_path / "runs", SMALL, data=tmp_path / "none") as d:
        await d.press("n")
        await d.shows("no data")


@both_sizes
@pytest.mark.usefixtures("started")
async def test_a_variant_is_made_from_another_and_saved(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    monkeypatch.chdir(tmp_path)
    async with dashboard(tmp_path / "runs", size, data=data, study="demo") as d:
        screen = await form(d)
        await use_random_weights(d, screen)
        await d.press("down", "n")
        editor = d.app.screen
        assert isinstance(editor, VariantScreen) and editor.start.name == "no-reg"
        await d.shows("change what is to differ")
        name = editor.query_one("#variant-name", Input)
        for field in FIELDS:
            editor.query_one(f"#field-{field}").focus()
            await d.shows(field.replace("_", " "))
        name.focus()
        await d.write("wide")
        await d.shows("as it stands it trains just what no-reg does")
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


async def test_a_name_that_is_taken_in_the_file_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-demo.toml").write_text("[variants.wide]\nfc1 = 64\n")
    async with dashboard(tmp_path / "runs", LARGE, data=data, study="demo") as d:
        await form(d)
        await d.press("n", "shift+tab")
        await d.write("wide")
        d.app.screen.query_one("#field-fc1", Input).value = "512"
        await d.shows("wide: fc1 512")
        await d.press("ctrl+s")
        await d.shows("has a variant wide already")
        await d.press("escape")
        assert isinstance(d.app.screen, LaunchScreen)


@both_sizes
@pytest.mark.usefixtures("started")
async def test_a_learning_rate_of_ones_own_takes_few_keys(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.chdir(tmp_path)
    async with dashboard(tmp_path / "runs", size, data=data, study="demo") as d:
        screen = await form(d)
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
        screen = await form(d)
        await d.until(lambda: screen.form.study_key == "demo", "the study chosen again")
        await d.until(
            lambda: screen.query_one("#variants", SelectionList).selected == ["lr-3e-3"],
            "only the new variant ticked",
        )


def test_fields_are_found_by_their_first_letters() -> None:
    assert find_fields(list(FIELDS), "le")[0] == "learning_rate"
    assert find_fields(list(FIELDS), "rate")[:2] == ["learning_rate", "backbone_rate"]
    assert find_fields(list(FIELDS), "nothing such") == []


def test_a_name_says_what_differs() -> None:
    start = start_texts(MILESTONE.base)
    texts = start | {"learning_rate": "3e-3", "regularizer": "none"}
    assert name_from_texts(texts, start) == "regularizer-none-lr-3e-3"
    assert name_from_texts(start, start) == ""


def test_the_form_offers_as_many_jobs_as_the_queue_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    assert queue_slots(runs) is None
    monkeypatch.setattr(requests, "status", lambda *_: Status(running=True, slots=5))
    assert queue_slots(runs) == 5
