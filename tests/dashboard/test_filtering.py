"""The filter box, completion, mistakes, saved filters and checklists."""

from __future__ import annotations

import json

from click.testing import CliRunner

from postertui.cli import cli
from postertui.dashboard.state.persistence import load_filters
from tests.support.dashboard_driver import SMALL, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns


@both_sizes
async def test_the_box_filters_as_one_types(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        await d.press("slash")
        await d.write("genre:comedy")
        assert d.shown == {"Comedy base", "Comedy l2-1e-4", "Comedy no-reg"}
        assert "3 of 9 runs" in d.lines[1]
        assert d.app.main.grid.arrangement.rows == ("Comedy",)
        await d.write(" state:running")
        assert d.shown == {"Comedy no-reg"}
        # A mistake is said in words, and what was shown stays.
        await d.write(" (")
        assert "`(` is not closed" in d.lines[1]
        assert d.shown == {"Comedy no-reg"}
        await d.press("backspace", "backspace")
        await d.write(" nonsense:1")
        assert "unknown field" in d.lines[1]
        await d.press("ctrl+u")
        assert len(d.shown) == 9
        await d.write("horror")
        await d.press("enter")
        assert d.app.main.table.has_focus
        assert len(d.shown) == 3
        # Esc takes back what has been typed since the box was opened.
        await d.press("slash")
        await d.write(" no-reg")
        assert len(d.shown) == 1
        await d.press("escape")
        assert len(d.shown) == 3
        await d.press("slash", "ctrl+u")
        await d.write("western")
        await d.press("enter")
        assert "No run matches the filter" in d.text


@both_sizes
async def test_tab_completes_fields_and_values(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        await d.press("slash")
        await d.write("gen")
        await d.press("tab")
        box = d.app.main.bar.box
        assert box.value == "genre:"
        assert "Comedy  Drama  Horror" in d.text
        await d.write("co")
        await d.until(lambda: box._suggestion == "genre:Comedy", "the completion")
        await d.press("tab")
        assert box.value == "genre:Comedy"
        await d.write(" variant:l2")
        assert "l2-1e-4" in d.text
        await d.until(lambda: box._suggestion, "the completion")
        await d.press("tab")
        assert d.shown == {"Comedy l2-1e-4"}
        await d.press("enter")
        assert not d.app.main.hints.display


FILTERS = (
    "horror",
    "variant:l2-*",
    "state:failed,running",
    "test_fscore>.3",
    "not (genre:comedy or epoch<5)",
    "fc1=256 and seed=0",
    "nothing-like-it",
)


async def test_the_command_line_finds_the_same_runs(made: MadeRuns) -> None:
    async with dashboard(made.folder, SMALL) as d:
        for text in FILTERS:
            assert d.app.model.set_filter(text)
            result = CliRunner().invoke(cli, ["runs", "--runs", str(made.folder), "--json", text])
            listed = json.loads(result.stdout) if result.exit_code == 0 else []
            assert {run["run"] for run in listed} == set(d.app.model.shown), text
            assert bool(result.exit_code) == (not d.app.model.shown)


@both_sizes
async def test_filters_are_saved_by_name(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        await d.press("slash")
        await d.write("genre:drama")
        await d.press("enter", "w", "s")
        await d.write("my dramas")
        await d.press("enter")
        await d.until(lambda: load_filters() == {"my dramas": "genre:drama"}, "the filter saved")
        assert "my dramas" in d.text
        await d.press("escape", "slash", "ctrl+u", "enter")
        assert len(d.shown) == 9
        await d.press("w")
        await d.shows("going on")
        await d.press("enter")
        assert len(d.shown) == 3
        assert d.app.main.bar.box.value == "genre:drama"
        await d.press("w", "d")
        await d.until(lambda: load_filters() == {}, "the filter deleted")
        # One that comes with the program.
        await d.press("enter")
        await d.until(lambda: {r.state for r in d.app.model.shown.values()} == {
            "running", "queued"
        }, "going on")  # fmt: skip


@both_sizes
async def test_checklists_with_counts(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        await d.press("c")
        await d.shows("[x] Comedy")
        line = next(line for line in d.lines if "[x] Comedy" in line)
        assert "3" in line.split("Comedy")[1].split()[0]
        await d.press("space")
        await d.shows("[ ] Comedy")
        await d.until(lambda: len(d.shown) == 6, "the tick applied")
        await d.press("tab", "down", "o")
        await d.until(lambda: d.shown == {"Drama l2-1e-4", "Horror l2-1e-4"}, "only one variant")
        await d.press("n")
        await d.until(lambda: not d.shown, "none")
        await d.press("a", "escape")
        await d.until(lambda: len(d.shown) == 6, "all variants")
        assert "6 of 9 runs" in d.lines[1]


async def test_pinned_runs_show_whatever_the_filter(made: MadeRuns) -> None:
    async with dashboard(made.folder, SMALL) as d:
        await d.press("home", "p", "slash")
        await d.write("horror")
        await d.press("enter")
        assert "Comedy base" in d.shown
        assert d.app.main.table.rows[0].genre == "Comedy"  # type: ignore[union-attr]
        assert "★" in d.text
