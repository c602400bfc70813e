"""Whatever is pressed in whatever order at whatever size: the screen stays whole."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from postertui.dashboard.text_width import cells
from postertui.supervisor import requests
from tests.support.dashboard_driver import Driver, dashboard
from tests.support.dashboard_runs import MadeRuns, milestone

pytestmark = pytest.mark.slow

#: All but those that quit, draw figures, or start runs.
KEYS = (
    *"mMfvtbylezasSgpouxrcwTdEi", "space", "asterisk", "number_sign", "plus", "minus", "tab",
    "escape", "escape", "enter", "up", "down", "left", "right", "pageup", "pagedown", "home", "end",
    "slash", "question_mark", "colon", "backspace", "ctrl+u", "left_square_bracket",
    "right_square_bracket", "less_than_sign", "greater_than_sign",
)  # fmt: skip
SIZES = ((80, 24), (160, 48), (250, 70), (40, 12), (20, 5))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeRuns]:
    # No process is started by a retry.
    monkeypatch.setattr(requests, "ensure_supervisor", lambda *_, **__: True)
    runs = milestone(tmp_path / "runs")
    yield runs
    runs.close()


@pytest.mark.parametrize("seed", range(2))
async def test_the_screen_stays_whole(made: MadeRuns, seed: int) -> None:
    rng = random.Random(seed)
    running = [r for r in made.folder.iterdir() if r.name.startswith("drama--l2")]
    async with dashboard(made.folder, (80, 24)) as d:
        size = (80, 24)
        for number in range(90):
            await d.press(rng.choice(KEYS))
            if number % 20 == 7:
                made.epoch(running[0].name, 7 + number // 20)
            if number % 15 == 11:
                size = rng.choice(SIZES)
                await d.pilot.resize_terminal(*size)
                await d.until(partial(fills, d, size), f"the screen filled at {size}")
            assert fills(d, size), number


def fills(d: Driver, size: tuple[int, int]) -> bool:
    return [cells(line) for line in d.lines] == [size[0]] * size[1]


async def test_a_tiny_terminal(made: MadeRuns) -> None:
    async with dashboard(made.folder, (20, 5)) as d:
        await d.press("z", "left_square_bracket", "right", "down", "f", "enter", "escape", "z")
        assert fills(d, (20, 5))
        # An epoch ends while the cells are higher than the terminal.
        run = next(r for r in d.app.model.runs.values() if (r.genre, r.epoch) == ("Drama", 6))
        await d.press("z")
        made.epoch(run.name, 7)
        await d.until(lambda: d.app.model.runs[run.name].epoch == 7, "the epoch")
        await d.settle()
        assert fills(d, (20, 5))
