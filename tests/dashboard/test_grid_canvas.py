"""The grid works a little at a time: what is seen in between and at the end, and who goes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.dashboard.app import DashboardApp
from postertui.dashboard.setup import Setup
from postertui.dashboard.widgets import grid_canvas
from tests.support.dashboard_driver import LARGE, SMALL, Driver, dashboard
from tests.support.dashboard_runs import MadeRuns


async def test_in_the_smallest_slices_the_same_comes_out(
    made: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells_drawn = []
    for seconds in (60.0, 0.0):
        monkeypatch.setattr(grid_canvas, "SLICE", seconds)
        async with dashboard(made.folder, LARGE, "grid", read_only=True) as d:
            await d.press("down", "right", "left_square_bracket")
            # Around the grid are times and the machine's load, which are others each time.
            region = d.app.main.grid.region
            cells_drawn.append(d.lines[region.y : region.bottom])
    assert cells_drawn[0] == cells_drawn[1]


async def test_the_cells_in_sight_make_the_axis_and_no_others_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid_canvas, "SLICE", 0.0)
    made_runs = MadeRuns(tmp_path / "runs")
    variants = ("base", "l1-1e-4", "l2-1e-2", "l2-1e-4", "no-reg", "scratch")
    names = {v: made_runs.add("Comedy", v, epochs=3, state="running", level=0.3) for v in variants}
    made_runs.add("Drama", "base", epochs=3, state="done", level=0.3)
    async with dashboard(made_runs.folder, SMALL) as d:
        grid = d.app.main.grid
        key = ("Comedy", "base")
        made_runs.epoch(names["scratch"], 4, level=0.9)
        await d.until(lambda: d.app.model.runs[names["scratch"]].epoch == 4, "the epoch")
        await d.settle()
        before = grid.axes.scale_of(key).high
        assert ("Comedy", "scratch") not in grid.viewport.visible_keys()
        assert before < 0.7
        made_runs.epoch(names["base"], 4, level=0.9)
        await d.until(lambda: grid.axes.scale_of(key).high > before, "a wider axis")
        await d.press("tab", *["right"] * 5)
        assert ("Comedy", "scratch") in grid.viewport.visible_keys()
        assert grid.axes.scale_of(("Comedy", "scratch")).high > before
        assert sum(0x2800 < ord(c) < 0x2900 for c in d.text) > 20
    made_runs.close()


async def test_drawing_waits_while_a_key_does_but_not_for_ever(
    made: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid_canvas, "SLICE", 0.0)
    monkeypatch.setattr(grid_canvas, "PATIENCE", 1e6)
    async with dashboard(made.folder, LARGE) as d:
        grid = d.app.main.grid
        grid._has_pending_key = lambda: True
        await start_over(d)
        for _ in range(20):
            await d.pilot.pause(0.01)
        assert grid.is_at_work, "the work did not wait"
        monkeypatch.setattr(grid_canvas, "PATIENCE", 0.0)
        await d.until(lambda: not grid.is_at_work, "the end of patience")
        await start_over(d)
        grid._has_pending_key = lambda: False
        await d.until(lambda: not grid.is_at_work, "the end of the work")


async def start_over(d: Driver) -> None:
    model = d.app.model
    d.app.main.grid.show(model.arrangement, model.shown, model.options)


async def test_a_key_waits_until_something_is_shown(made: MadeRuns) -> None:
    async with dashboard(made.folder) as d:
        waited = []
        display = d.app._display

        def note(*what: object) -> None:
            waited.append(d.app.has_pending_key)
            display(*what)  # type: ignore[arg-type]
            waited.append(d.app.has_pending_key)

        d.app._display = note  # type: ignore[method-assign,assignment]
        await d.press("j")
        await d.until(lambda: len(waited) > 1, "the answer")
        assert waited[1] is False
        assert not d.app.has_pending_key


async def test_only_the_rows_that_differ_are_drawn_again(made: MadeRuns) -> None:
    async with dashboard(made.folder) as d:
        table = d.app.main.table
        cursor = d.app.context.styles["cursor-row"].bgcolor

        def marked() -> list[int]:
            """The rows of the table that have the cursor's colour on the screen."""
            strips = d.app.screen._compositor.render_strips(d.app.screen.size)
            top = table.region.y
            return [
                y
                for y, strip in enumerate(strips[top : table.region.bottom])
                if any(s.style and s.style.bgcolor == cursor for s in strip)
            ]

        assert marked() == [1]
        await d.press("j", "j")
        assert marked() == [3]
        await d.press("k")
        assert marked() == [2]
        await d.press("tab")
        assert marked() == []
        await d.press("tab")
        assert marked() == [2]


async def test_it_says_when_it_has_come_to_rest(made: MadeRuns) -> None:
    rests: list[int] = []
    folder = made.folder.parent / "none"
    app = DashboardApp(
        Setup(made.folder, folder, folder), at_rest=lambda: rests.append(len(app.model.runs))
    )
    async with app.run_test(size=SMALL) as pilot:
        for _ in range(6000):
            if rests:
                break
            await pilot.pause(0.01)
        assert rests[0] == 9
