"""Every key of the view, at both sizes: what it changes, and that the screen follows."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from postertui.dashboard.screens.cell import CellScreen
from postertui.dashboard.state.metrics import METRICS
from postertui.dashboard.state.view_options import COMPARED
from postertui.dashboard.table.columns import COLUMNS
from tests.support.dashboard_driver import LARGE, SMALL, Driver, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns


@both_sizes
async def test_the_main_screen(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        text = d.text
        assert "3 running" in d.lines[0]
        assert "1 failed" in d.lines[0]
        assert "9 runs" in d.lines[1]
        for word in ("Comedy", "Drama", "Horror", "l2-1e-4", "no-reg", "F-score"):
            assert word in text
        assert "Help" in d.lines[-1]
        assert "Quit" in d.lines[-1]
        # Two columns of braille cells even at 80 columns, with their axes.
        assert any("┤" in line and "│" in line for line in d.lines)
        assert sum(0x2800 < ord(c) < 0x2900 for c in text) > 60
        assert all(len(line) == size[0] for line in d.lines)


@both_sizes
async def test_keys_that_change_what_is_drawn(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        for label, _ in [*list(METRICS.values())[1:], METRICS["f"]]:
            await d.press("m")
            assert label in d.text
        await d.press("M")
        assert d.app.model.options.metric == "learning_rate"
        await d.press("m")

        await d.press("t")
        assert not d.app.model.options.train
        assert "┄ train" not in d.text
        await d.press("t")

        await d.press("b")
        assert not d.app.main.grid.panels["Comedy", "base"].references
        await d.press("b")
        assert d.app.main.grid.panels["Comedy", "base"].references

        await d.press("y")
        assert "free y" in d.text
        await d.press("y", "l")
        assert "log y" in d.text
        assert d.app.main.grid.axes.scale_of(("Comedy", "base")).log
        await d.press("l", "e")
        assert "smooth 0.5" in d.text
        await d.press("e", "e", "e", "a")
        assert "mean of seeds" in d.text
        await d.press("a")

        await d.press("B")
        assert "Δ to base" in d.text
        assert d.app.main.grid.panels["Comedy", "l2-1e-4"].references[0].kind == "zero"
        await d.press("B")
        assert "Δ to base" not in d.text

        await d.press("f")
        assert d.app.main.grid.viewport.cells[1] == 1 or size == LARGE
        assert "a━ base" in d.text
        assert d.app.main.grid.viewport.selected_key == ("Comedy", "")
        await d.press("f")
        assert d.app.main.grid.viewport.selected_key == ("Comedy", "base")

        for name in [*list(COMPARED)[1:], "variant"]:
            await d.press("v")
            assert d.app.model.options.compare == name
        await d.press("E")
        await d.write("5-2")
        assert "must come after" in d.text
        await d.press("backspace", "8", "enter")
        assert d.app.main.grid.axes.epochs == (5, 8)
        assert "epochs 5–8" in d.text


async def test_keys_of_what_is_not_on_the_screen_change_nothing_and_say_so(made: MadeRuns) -> None:
    async with dashboard(made.folder, SMALL, layout="summary") as d:
        before = d.app.model.options
        for key in ("s", "S", "g", "O"):
            d.app.clear_notifications()
            await d.press(key)
            await d.shows("this orders the table of runs: 3 shows it")
        await d.press("f")
        await d.shows("2 shows facets, too")
        assert d.app.model.options == before
        await d.press("3", "s")
        assert d.app.model.options.sort != before.sort


@both_sizes
async def test_keys_of_the_table(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        table = d.app.main.table
        order = [c.id for c in COLUMNS]
        start = order.index("genre")
        for step in range(1, len(order) + 1):
            await d.press("s")
            assert d.app.model.options.sort == order[(start + step) % len(order)]
            if d.app.model.options.sort == "best" and size == LARGE:
                assert "best@ep↓" in d.text
        first = table.rows[0]
        await d.press("S")
        assert table.rows[0] is not first
        await d.press("S")

        await d.press("g")
        # The means are of the analysis, which takes its time.
        await d.shows(", 3 genres")
        await d.press("g", "g")
        assert ", 3 genres" not in d.text

        await d.press("home")
        names = [table.current.name if table.current else ""]
        for key in ("down", "j", "up", "k", "end", "home", "pagedown", "pageup", "G"):
            await d.press(key)
            names.append(table.current.name if table.current else "")
        rows = [row.name for row in table.rows if hasattr(row, "name")]
        at = [rows.index(name) for name in names]
        last = len(rows) - 1
        assert at == [0, 1, 2, 1, 0, last, 0, last, 0, last]

        await d.press("home", "space", "space")
        assert len(d.app.model.marked) == 2
        assert "●" in d.text
        await d.press("escape")
        assert not d.app.model.marked
        await d.press("asterisk")
        assert d.app.model.marked == set(d.app.model.shown)
        await d.press("asterisk")
        assert not d.app.model.marked


@both_sizes
async def test_keys_of_the_grid(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        grid = d.app.main.grid
        await d.press("tab")
        assert grid.has_focus
        await d.press("home")
        keys = [grid.viewport.selected_key]
        for key in ("right", "down", "left", "up", "j", "k", "right", "left"):
            await d.press(key)
            keys.append(grid.viewport.selected_key)
        assert keys[:5] == [
            ("Comedy", "base"), ("Comedy", "l2-1e-4"), ("Drama", "l2-1e-4"), ("Drama", "base"),
            ("Comedy", "base"),
        ]  # fmt: skip
        assert keys[5:] == [
            ("Drama", "base"), ("Comedy", "base"), ("Comedy", "l2-1e-4"), ("Comedy", "base")
        ]  # fmt: skip

        # One cursor through all cells, with the values there.
        await d.press("left_square_bracket")
        assert grid.cursor == 10
        await d.press("left_square_bracket", "left_square_bracket", "right_square_bracket")
        assert grid.cursor == 9
        run = next(r for r in d.app.model.runs.values() if (r.genre, r.variant) == keys[0])
        value = f"{run.history[8]['test_fscore_soft']:.3f}"[1:]
        (readout,) = [line for line in d.lines if "epoch 9" in line]
        assert value in readout
        title = next(line for line in d.lines if " Comedy " in line and value in line)
        assert title
        await d.press("escape")
        assert grid.cursor is None

        across = grid.viewport.tiling.across
        await d.press("less_than_sign")
        assert grid.viewport.tiling.across == max(1, across - 1)
        await d.press("greater_than_sign")
        assert grid.viewport.tiling.across == across
        await d.press("tab")
        assert d.app.main.table.has_focus

        await d.press("z")
        assert not d.app.main.table.is_on_screen
        assert grid.has_focus
        await d.press("z")
        assert not grid.is_on_screen
        assert d.app.main.table.has_focus
        await d.press("z")
        assert grid.is_on_screen
        assert d.app.main.table.is_on_screen


@both_sizes
async def test_a_cell_full_screen(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        await d.press("tab", "home", "enter")
        await d.shows("Comedy · base")
        assert "always-yes" in d.text
        assert "epoch" in d.text
        # The run behind it, and the verdict on it.
        assert "10/10" in d.text
        await d.shows("above baseline")
        run = next(
            r for r in d.app.model.runs.values() if (r.genre, r.variant) == ("Comedy", "base")
        )
        await d.press("left_square_bracket", "left_square_bracket")
        assert "epoch 9" in d.text
        assert f"{run.history[8]['test_fscore_soft']:.3f}"[1:] in d.text
        await d.press("right_square_bracket")
        assert "epoch 10" in d.text
        await d.press("n")
        await d.shows("Comedy · l2-1e-4")
        await d.press("p")
        await d.shows("Comedy · base")
        await d.press("m")
        await d.shows("F as published")
        # The epoch cursor of all cells is this one's too.
        await d.press("escape", "left_square_bracket", "left_square_bracket", "enter")
        await d.until(lambda: isinstance(d.app.screen, CellScreen), "the cell")
        assert f"epoch {d.app.main.grid.cursor}" in d.text
        await d.press("l")
        await d.shows("log y")
        await d.press("a")
        await d.shows("mean of seeds")
        await d.press("t")
        assert "┄ train" not in d.text
        await d.press("e")
        await d.shows("smooth")
        assert all(len(line) == size[0] for line in d.lines)
        await d.press("escape")
        assert d.app.screen is d.app.main


@pytest.mark.slow
async def test_eighteen_by_seven_cells_are_paged(tmp_path: Path) -> None:
    from postertui.published.facts import BASE_RATES

    made_runs = MadeRuns(tmp_path / "runs")
    variants = ("base", "no-reg", "l2-1e-2", "l2-1e-3", "l2-1e-4", "l2-1e-5", "l2-1e-6")
    for genre in BASE_RATES:
        for variant in variants:
            made_runs.add(genre, variant, epochs=1, state="done")
    async with dashboard(made_runs.folder, SMALL) as d:
        grid = d.app.main.grid
        assert grid.viewport.cells == (18, 7)
        await d.press("z", "home")
        seen: set[tuple[str, str]] = set()
        for _ in range(12):
            for _ in range(5):
                seen |= {
                    k
                    for cell in grid.viewport.visible_cells()
                    if (k := grid.viewport.key_at(*cell)) is not None
                }
                await d.press("right", "right")
            await d.press("left", *["left"] * 9)
            await d.press("pagedown")
        assert len(seen) == 18 * 7
        assert grid.viewport.tiling.height - 2 >= 4
        assert "↓" in d.lines[2]


async def test_mouse(made: MadeRuns) -> None:
    async with dashboard(made.folder, LARGE) as d:
        table, grid = d.app.main.table, d.app.main.grid
        await d.pilot.click(table, offset=(8, 4))
        assert table.current is table.rows[3]
        head = d.lines[table.region.y]
        await d.pilot.click(table, offset=(head.index(" best") + 2, 0))
        assert d.app.model.options.sort == "best"
        assert d.app.model.options.reverse  # the best come first
        await d.pilot.click(table, offset=(head.index(" best") + 2, 0))
        assert not d.app.model.options.reverse
        cell = grid.viewport.tiling.width + 1
        await d.pilot.click(grid, offset=(cell + 12, 8))
        assert grid.viewport.selected == (0, 1)
        assert grid.cursor is not None
        await d.pilot.click(grid, offset=(cell + 12, 8), times=2)
        await d.shows("Comedy · ")
        await d.pilot.click("KeyBar", offset=(2, 0))
        await d.until(lambda: d.app.screen is d.app.main, "Esc clicked")


def fills(d: Driver, size: tuple[int, int]) -> bool:
    return [len(line) for line in d.lines] == [size[0]] * size[1]


async def test_the_screen_follows_runs_and_its_own_size(made: MadeRuns) -> None:
    async with dashboard(made.folder, SMALL) as d:
        name = next(n for n, r in d.app.model.runs.items() if (r.genre, r.epoch) == ("Drama", 6))
        made.epoch(name, 7)
        await d.shows("7/10")
        made.end(name, "failed", "killed by SIGKILL", when=1_700_000_100.0)
        await d.until(lambda: "2 failed" in d.lines[0], "the failure counted")
        shutil.rmtree(made.folder / name)
        await d.until(lambda: name not in d.app.model.runs, "the run gone")
        assert "8 runs" in d.lines[1]
        made.add("Western", "base", epochs=2, state="done")
        await d.shows("Western")
        for size in (LARGE, (250, 70), (40, 12), SMALL):
            await d.pilot.resize_terminal(*size)
            await d.until(partial(fills, d, size), f"the screen filled at {size}")
            assert ("Sort" in d.lines[-1]) == (size[0] > 100)
        assert "Western" in d.text
