"""Help, palette, own keys, themes, --ascii, memory, first screens, hostile names."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len
from textual.command import CommandList
from textual.widgets import Static

from postertui.dashboard.actions.keymap import check_keymap
from postertui.dashboard.actions.registry import ACTIONS
from postertui.dashboard.dialogs.choice import assign_letters
from postertui.dashboard.screens.cell import CellScreen
from postertui.dashboard.screens.first_steps import first_steps
from postertui.dashboard.screens.launch import LaunchScreen
from postertui.dashboard.screens.run import RunScreen
from postertui.dashboard.setup import Setup
from postertui.dashboard.start import THEMES
from postertui.dashboard.state.metrics import METRICS
from postertui.dashboard.state.persistence import load_config, load_view, view_path
from postertui.dashboard.terminal.theme import PALETTES
from postertui.study import load_study
from postertui.system.errors import UserError
from tests.support.dashboard_driver import LARGE, SMALL, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns
from tests.support.no_home import without_home


@both_sizes
async def test_help_lists_every_key(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        await d.press("question_mark")
        text = "\n".join(str(part.render()) for part in d.app.screen.query(Static))
        for screen in (type(d.app.main), CellScreen, RunScreen, LaunchScreen):
            for binding in screen.BINDINGS:
                assert binding.description in text, binding  # type: ignore[union-attr]
                assert binding.id in text, binding  # type: ignore[union-attr, operator]
        await d.shows("everywhere")
        await d.press("end")
        await d.shows("as anywhere")
        await d.press("escape")
        assert d.app.screen is d.app.main
        # Where one is comes first.
        for keys, title in ((("tab", "enter"), "one cell"), (("tab", "enter"), "one run")):
            await d.press(*keys, "question_mark")
            first = d.app.screen.query(".section").first(Static)
            assert str(first.render()).strip() == title
            await d.press("escape", "escape")


@both_sizes
async def test_the_palette_has_everything(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        titles = [command.title for command in d.app.palette_commands()]
        for label, _ in METRICS.values():
            assert f"metric: {label}" in titles
        assert "go to: Drama" in titles
        assert "theme: light" in titles
        actions = {b.action for b in type(d.app.main).BINDINGS}  # type: ignore[union-attr]
        assert sum(command.always for command in d.app.palette_commands()) >= len(actions) - 1
        await d.press("colon")
        await d.write("metric loss")
        await d.until(lambda: d.app.screen.query_one(CommandList).option_count == 1, "one command")
        await d.press("enter")
        await d.until(lambda: d.app.model.options.metric == "loss", "the metric")
        await d.until(lambda: d.app.screen is d.app.main, "the palette closed")
        await d.press("ctrl+p")
        await d.write("go to drama")
        await d.until(lambda: d.app.screen.query_one(CommandList).option_count == 1, "one command")
        await d.press("enter")
        await d.until(
            lambda: d.app.main.grid.viewport.selected_key == ("Drama", "base"), "the cell"
        )


async def test_the_footer_follows_what_has_the_keys(made: MadeRuns) -> None:
    async with dashboard(made.folder, LARGE) as d:
        assert "Enter Open" in d.lines[-1]
        await d.press("tab")
        assert "Enter Full screen" in d.lines[-1]
        await d.press("slash")
        assert "Tab Complete" in d.lines[-1]
        assert "Enter Keep" in d.lines[-1]


async def test_keys_from_the_config_file(made: MadeRuns, own_home: Path) -> None:
    config = own_home / "config" / "postertui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('theme = "light"\n[keys]\n"view.metric" = "f5"\n"app.help" = "f1"\n')
    async with dashboard(made.folder, LARGE) as d:
        assert d.app.theme == "light"
        await d.press("m")
        assert d.app.model.options.metric == "f"
        await d.press("f5")
        assert d.app.model.options.metric == "fscore"
        assert "f5 Metric" in d.lines[-1]
        await d.press("f1")
        assert "keys" in d.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("theme = 3", "theme"),
        ("colour = 1", "unknown setting `colour`"),
        ("theme = ", "not TOML"),
        ("[keys]\nview.metric = 3", "keys"),
    ],
)
def test_a_mistake_in_the_config_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        load_config(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_the_config_of_a_runs_folder_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `on_end` would be a command of the user who prepared the folder."""
    path = without_home(monkeypatch, tmp_path) / "config/postertui/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('on_end = "touch executed"\n')
    assert load_config().on_end == ""


def test_an_unknown_action_names_those_near(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no action `view.metrik`; near: view.metric"):
        check_keymap({"view.metrik": "m"}, tmp_path / "config.toml")
    with pytest.raises(UserError, match="no key"):
        check_keymap({"view.metric": ""}, tmp_path / "config.toml")
    check_keymap({"view.metric": "x,f5"}, tmp_path / "config.toml")


def test_ids_and_keys_of_the_main_screen_are_its_own() -> None:
    from postertui.dashboard.app import DashboardApp
    from postertui.dashboard.screens.main import MainScreen

    ids = [action.id for action in ACTIONS if action.id]
    assert len(ids) == len(set(ids))
    main = [*MainScreen.BINDINGS, *DashboardApp.BINDINGS]
    keys = [k for b in main for k in b.key.split(",")]  # type: ignore[union-attr]
    assert len(keys) == len(set(keys))


async def test_themes(made: MadeRuns) -> None:
    assert set(THEMES) == set(PALETTES)
    async with dashboard(made.folder, SMALL) as d:
        for name in ("light", "colour-blind", "dark"):
            await d.press("T")
            assert d.app.theme == name
            palette = PALETTES[name]
            strips = d.app.screen._compositor.render_strips(d.app.screen.size)
            drawn = {
                (segment.style.color.name, segment.style.bgcolor.name)
                for strip in strips
                for segment in strip
                if any(0x2800 < ord(c) < 0x2900 for c in segment.text)
                and segment.style and segment.style.color and segment.style.bgcolor
            }  # fmt: skip
            assert (palette.test, palette.background) in drawn
            assert (palette.train, palette.background) in drawn
    async with dashboard(made.folder, SMALL, theme="light") as d:
        assert d.app.theme == "light"


@both_sizes
async def test_ascii_is_ascii(made: MadeRuns, size: tuple[int, int]) -> None:
    made.add("Actión 中", "base", epochs=3, state="done")
    async with dashboard(made.folder, size, ascii_only=True) as d:
        for keys in (("f",), ("f", "tab", "enter"), ("escape", "question_mark"), ("escape", "c")):
            await d.press(*keys)
            screen = d.app.screen
            lines = []
            for strip in screen._compositor.render_strips(screen.size):
                lines.append("".join(s.text for s in strip))
            drawn = "\n".join(lines)
            assert drawn.isascii(), [c for c in drawn if not c.isascii()]
            assert {len(line) for line in lines} == {size[0]}
        await d.press("escape")
        # Test and train are told apart by their characters.
        assert "*" in d.text
        assert "o" in d.text


async def test_curves_are_distinguished_without_colour(
    made: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with dashboard(made.folder, LARGE) as d:
        await d.press("f")
        strips = d.app.screen._compositor.render_strips(d.app.screen.size)
        colours = {s.style.color for strip in strips for s in strip if s.style and s.style.color}
        assert all(c.triplet is None or len(set(c.triplet)) == 1 for c in colours)
        # Letters and names at the curves' ends, and in the legend.
        assert "a━ base" in d.text
        ends = [line.rstrip() for line in d.lines]
        assert any(line.endswith("a base") for line in ends)
        assert any(line.endswith("b l2-1e-4") for line in ends)


async def test_the_view_is_remembered(made: MadeRuns) -> None:
    async with dashboard(made.folder, SMALL) as d:
        await d.press("f", "t", "s", "z", "slash")
        await d.write("comedy")
        await d.press("enter")
        await d.until(lambda: load_view(made.folder).filter == "comedy", "the view written")
        before = d.app.model.options
    assert load_view(made.folder) == before
    async with dashboard(made.folder, LARGE) as d:
        assert d.app.model.options == before
        assert d.app.main.bar.box.value == "comedy"
        assert len(d.shown) == 3
    # What was asked for on the command line goes first.
    async with dashboard(made.folder, SMALL, filter="horror") as d:
        assert d.app.main.bar.box.value == "horror"
        assert d.shown == {"Horror base", "Horror l2-1e-4", "Horror no-reg"}


def test_a_damaged_view_is_no_reason_to_fail(made: MadeRuns) -> None:
    path = view_path(made.folder)
    path.parent.mkdir(parents=True)
    path.write_text('{"metric": "no metric!", "layout": "both", "smoothing": 7}')
    assert load_view(made.folder).metric == "f"
    assert load_view(made.folder).smoothing == 0
    path.write_text("not json")
    assert load_view(made.folder).metric == "f"


@both_sizes
async def test_without_runs_and_without_data(tmp_path: Path, size: tuple[int, int]) -> None:
    async with dashboard(tmp_path / "runs", size) as d:
        assert "postertui demo" in d.text
        assert "postertui data build" in d.text
        for key in ("f", "m", "s", "g", "a", "x", "r", "p", "space", "o", "down", "tab", "enter"):
            await d.press(key)
        made_runs = MadeRuns(tmp_path / "runs")
        made_runs.add("Comedy", epochs=2, state="done")
        await d.shows("2/10")


def test_first_steps_fit_the_situation(tmp_path: Path) -> None:
    setup = Setup(tmp_path / "runs", tmp_path / "data", tmp_path / "out")
    assert "No GPU" in "\n".join(first_steps(setup, gpu=False))
    assert "No GPU" not in "\n".join(first_steps(setup, gpu=True))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dataset.json").touch()
    ready = "\n".join(first_steps(setup, gpu=True))
    assert "n  chooses a study" in ready
    assert "demo" not in ready
    reading = Setup(tmp_path / "runs", tmp_path / "data", tmp_path / "out", read_only=True)
    assert "chooses" not in "\n".join(first_steps(reading))
    assert all(len(line) <= 78 for line in first_steps(setup, gpu=False))


async def test_an_unreadable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    async with dashboard(tmp_path / "runs", LARGE) as d:
        await d.shows("cannot read")
        (tmp_path / "runs").unlink()
        await d.shows("no runs yet")


@both_sizes
async def test_hostile_names_are_text_and_break_no_layout(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    base = load_study("milestone4").variants["base"]
    for name in (
        "\x1b[31mred\x1b]0;title\x07", "[bold]markup[/bold][/]", "\u202eevil\u2066", "中" * 40,
        "x" * 10_000, "a\nb\tc", "\u0301" * 50, "🎬🎬", "\x9b5nC1",
    ):  # fmt: skip
        variant = msgspec.structs.replace(base, name=f"v{len(name)}", family=name)
        run = made_runs.add(
            name[:150] if "x" * 200 in name else name, variant, epochs=3, state="done"
        )
        (made_runs.folder / run / "log.txt").write_bytes((name * 3).encode() + b"\xff\xfe\n")
    async with dashboard(tmp_path / "runs", size) as d:
        for keys in ((), ("f",), ("g",), ("v", "v", "v"), ("tab", "enter"), ("escape", "c"),
                     ("escape", "tab", "enter")):  # fmt: skip
            await d.press(*keys)
            lines = d.lines
            assert {cell_len(line) for line in lines} == {size[0]}
            everything = "".join(lines)
            assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in everything)
            assert not any(c in everything for c in "\u202e\u2066\u200b")
        await d.press("escape")
        assert "[bold]" in d.text or "[bold" in d.text
        assert len(d.app.model.runs) == 9


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "postertui", "--runs", str(tmp_path)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "Traceback" not in done.stderr


def test_letters_of_choices_are_their_own() -> None:
    letters = assign_letters(["F-score", "F as published", "soft F", "loss", "F"])
    assert letters[:2] == ["f", "a"]
    assert len(set(letters)) == len(letters)


async def test_one_key_and_a_letter_choose(made: MadeRuns) -> None:
    async with dashboard(made.folder, SMALL) as d:
        await d.press("D", "l")
        assert d.app.model.options.metric == "loss"
        await d.press("V", "r")
        assert d.app.model.options.compare == "regularizer"
        await d.press("O")
        await d.shows("the order")
        await d.press("escape")
        assert d.app.model.options.sort == "genre"


async def test_a_read_only_dashboard_hides_what_it_forbids(made: MadeRuns) -> None:
    async with dashboard(made.folder, LARGE, read_only=True) as d:
        assert "New runs" not in d.lines[-1]
        assert "Filter" in d.lines[-1]
        titles = [command.title for command in d.app.palette_commands()]
        assert not any(title.startswith(("cancel", "new runs")) for title in titles)
        await d.press("question_mark")
        assert "run.cancel" not in d.text


async def test_marks_are_counted_and_hidden_ones_do_not_act(made: MadeRuns) -> None:
    async with dashboard(made.folder, LARGE) as d:
        await d.press("space", "space")
        assert "2 marked" in d.lines[0]
        await d.press("slash")
        await d.write("genre:horror")
        await d.press("enter")
        assert "2 marked (2 hidden)" in d.lines[0]
        assert not d.app.main.targets().runs
        # Esc clears the marks, then the filter.
        await d.press("escape")
        assert "marked" not in d.lines[0]
        await d.press("escape")
        assert d.app.model.options.filter == ""


async def test_help_finds_a_key_by_a_word(made: MadeRuns) -> None:
    async with dashboard(made.folder, LARGE) as d:
        await d.press("question_mark", "slash")
        await d.write("smooth")
        await d.until(lambda: "view.smoothing" in d.text and "run.cancel" not in d.text, "one key")


async def test_no_id_is_cut_in_help_at_any_width(made: MadeRuns) -> None:
    async with dashboard(made.folder, LARGE) as d:
        await d.press("question_mark")
        await d.shows("app.redraw")
        assert "the grid" in d.text and "everywhere" in d.text
        await d.pilot.resize_terminal(*SMALL)
        await d.until(lambda: "the grid" not in d.text, "one column")
        await d.shows("app.redraw")
        await d.shows("filter.checklists")
        assert not any("…" in line for line in d.lines[2:-2])
