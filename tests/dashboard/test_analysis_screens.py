"""`compare`, `leaderboard` and `bars` as screens: what the commands print, of what is shown."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from textual.command import CommandList
from textual.containers import ScrollableContainer

from postertui.cli import cli
from postertui.dashboard.screens.analysis import AnalysisScreen
from tests.support.dashboard_driver import LARGE, SMALL, Driver, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns


def printed(folder: Path, command: str) -> list[str]:
    """What the command prints, row by row, without the notes' line breaks."""
    words = [*shlex.split(command)[1:], "--runs", str(folder)]
    done = CliRunner().invoke(cli, words, standalone_mode=False)
    assert done.exception is None, done.exception
    return rows(done.stdout)


def rows(text: str) -> list[str]:
    return [" ".join(text.split())]


def answered(d: Driver) -> list[str]:
    screen = d.app.screen
    assert isinstance(screen, AnalysisScreen)
    return rows(str(screen.body.render()))


@pytest.mark.parametrize("text", ["", "genre:comedy,horror not variant:no-reg"])
async def test_each_screen_has_its_commands_words_and_numbers(made: MadeRuns, text: str) -> None:
    async with dashboard(made.folder, LARGE, filter=text) as d:
        for key, question in (("4", "compare"), ("5", "leaderboard"), ("6", "bars")):
            await d.press(key)
            screen = d.app.screen
            assert isinstance(screen, AnalysisScreen)
            await d.until(lambda: answered(d) != ["computing …"], "the answer")
            command = screen.command()
            assert command.startswith(f"postertui {question}")
            await d.shows(command)
            await d.until(
                lambda: answered(d) == printed(made.folder, command),  # noqa: B023
                "the same words",
            )
            assert "test_fscore_soft" in answered(d)[0]
            await d.press("escape")
            assert d.app.screen is d.app.main


@both_sizes
async def test_one_key_narrows_it_to_the_genre_under_the_cursor(
    made: MadeRuns, size: tuple[int, int]
) -> None:
    async with dashboard(made.folder, size, layout="summary") as d:
        await d.until(lambda: d.app.main.matrix.matrix.genres, "the matrix")
        await d.press("down")
        genre = d.app.main.matrix.matrix.genres[1]
        await d.press("4", "g")
        await d.shows(f"postertui compare genre:{genre}")
        screen = d.app.screen
        assert isinstance(screen, AnalysisScreen)
        assert {run.genre for run in screen.runs.values()} == {genre}
        await d.until(
            lambda: answered(d) == printed(made.folder, screen.command()), "of this genre alone"
        )
        await d.press("6")
        await d.until(lambda: "baseline" in answered(d)[0], "its bars")
        await d.press("g")
        assert len(screen.runs) == 9


async def test_the_palette_opens_them_and_what_has_no_room_scrolls(made: MadeRuns) -> None:
    async with dashboard(made.folder, SMALL) as d:
        await d.press("colon")
        await d.write("leaderboard")
        await d.until(lambda: d.app.screen.query_one(CommandList).option_count > 0, "commands")
        await d.press("enter")
        await d.until(lambda: isinstance(d.app.screen, AnalysisScreen), "the screen")
        await d.shows("Overall")
        area = d.app.screen.query_one(ScrollableContainer)
        await d.until(lambda: area.max_scroll_y > 0, "more lines than fit")
        await d.press("pagedown", "j")
        await d.until(lambda: area.scroll_y > 0, "scrolled")
        await d.press("4")
        await d.until(lambda: area.max_scroll_x > 0, "a table wider than the screen")


async def test_without_a_finished_epoch_it_says_so(tmp_path: Path) -> None:
    made = MadeRuns(tmp_path / "runs")
    made.add("Comedy")
    async with dashboard(made.folder, SMALL) as d:
        await d.press("4")
        await d.shows("no run on the screen has finished an epoch")
