"""The dashboard in a test, driven by keys, its screen read as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest
from rich.segment import Segment
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget

from postertui.dashboard.app import DashboardApp
from postertui.dashboard.setup import Setup
from postertui.dashboard.state.persistence import load_config, load_view
from tests.support.screen_text import ScreenText

SMALL, LARGE = (80, 24), (160, 48)
SIZES = (SMALL, LARGE)
both_sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
PATIENCE = 60.0


class Driver:
    """An app that runs, and what a test does with it."""

    def __init__(self, app: DashboardApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        """Let messages, and those that follow from them, be handled."""
        for _ in range(3):
            await self.pilot.pause()
        while self.app.main.grid.is_at_work or self.app.main.genre_grid.is_at_work:
            await self.pilot.pause(0.001)

    async def write(self, text: str) -> None:
        """Type `text` into whatever has the keys."""
        names = {" ": "space", "-": "minus", "_": "underscore", ".": "full_stop", ":": "colon",
                 "*": "asterisk", ">": "greater_than_sign", "=": "equals_sign", ",": "comma",
                 "#": "number_sign", "(": "left_parenthesis"}  # fmt: skip
        await self.pilot.press(*(names.get(c, c) for c in text))
        await self.settle()

    async def until(self, true: Callable[[], object], what: str = "") -> None:
        """Wait for something that happens in its own time."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"never happened: {what}\n{self.text}"
            await self.pilot.pause(0.01)

    async def shows(self, text: str) -> None:
        """Wait until `text` is on the screen."""
        await self.until(lambda: text in self.text, f"{text!r} on the screen")

    @property
    def lines(self) -> list[str]:
        """The screen, row by row."""
        screen = self.app.screen
        strips = screen._compositor.render_strips(screen.size)
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def text(self) -> ScreenText:
        """The screen; `in` finds words also where a widget wraps them."""
        lines = self.lines
        return ScreenText(lines, lambda: self._blocks(lines))

    def _blocks(self, lines: list[str]) -> Iterator[str]:
        """What each widget in sight shows."""
        screen = self.app.screen
        rows = [Strip([Segment(line)]) for line in lines]
        for widget in screen.walk_children(Widget):
            if not widget.is_on_screen or any(child.display for child in widget.children):
                continue
            area = widget.content_region.intersection(screen.region)
            yield "\n".join(row.crop(area.x, area.right).text for row in rows[area.y : area.bottom])

    @property
    def shown(self) -> set[str]:
        """`genre variant` of the runs that the filter lets through."""
        return {f"{run.genre} {run.variant}" for run in self.app.model.shown.values()}


@asynccontextmanager
async def dashboard(
    runs: Path, size: tuple[int, int] = SMALL, layout: str = "both", **setup: Any
) -> AsyncIterator[Driver]:
    """The dashboard on `runs`, when it has read them; in `layout` unless a view was saved."""
    folders = {"data": runs.parent / "data", "out": runs.parent / "out"}
    options = load_view(runs)
    if options.layout == "auto":
        options = msgspec.structs.replace(options, layout=layout)
    app = DashboardApp(Setup(runs, **(folders | setup)), options, load_config())
    with (
        mock.patch("textual.app.wait_for_idle", at_once),
        mock.patch("textual.pilot.wait_for_idle", at_once),
    ):
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = Driver(app, pilot)
            await driver.until(lambda: app.model.loaded, "the first reading")
            await driver.settle()
            yield driver


async def at_once(*_: float) -> None:
    """Instead of Textual's wait for an idle processor, which is never idle where tests share it."""
    await asyncio.sleep(0)
