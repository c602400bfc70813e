"""How many keys the usual questions take, from the first screen on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postertui.dashboard.controllers import figures
from postertui.dashboard.figure_export.request import FigureRequest
from postertui.dashboard.screens.analysis import AnalysisScreen
from postertui.supervisor import requests
from tests.support.dashboard_driver import LARGE, Driver, dashboard
from tests.support.dashboard_runs import MadeRuns
from tests.support.supervisor import states

pytestmark = pytest.mark.slow


class Counted:
    """Keys for a dashboard, which are counted and may not be more than `most`."""

    def __init__(self, driver: Driver, most: int) -> None:
        self._driver, self._most = driver, most

    async def press(self, *keys: str) -> None:
        self._most -= len(keys)
        assert self._most >= 0, "more keys than that"
        await self._driver.press(*keys)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeRuns]:
    """Four genres of base and five variants with two seeds, done; no supervisor is started."""
    monkeypatch.setattr(requests, "ensure_supervisor", lambda *_, **__: True)
    made = MadeRuns(tmp_path / "runs")
    for genre in ("Drama", "Comedy", "Horror", "Western"):
        for variant in ("base", "l1-0", "l1-1e-4", "l1-1e-6", "l2-1e-4", "fc-256x64"):
            for seed in (0, 1):
                made.add(genre, variant, seed=seed, epochs=4, state="done")
    yield made
    made.close()


async def test_the_best_regularizer_of_a_genre_and_whether_it_is_real(study: MadeRuns) -> None:
    async with dashboard(study.folder, LARGE, layout="summary") as d:
        await d.until(lambda: d.app.main.matrix.matrix.genres, "the matrix")
        keys = Counted(d, 3)
        assert d.app.main.matrix.matrix.genres[1] == "Comedy"
        await keys.press("down", "4", "g")
        await d.shows("postertui compare genre:Comedy")
        await d.shows("p (Holm)")
        screen = d.app.screen
        assert isinstance(screen, AnalysisScreen)
        await d.until(lambda: "l2-1e-4" in str(screen.body.render()), "the regularizers")


async def test_the_figure_of_a_regularizer_in_three_genres(
    study: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[FigureRequest] = []

    class NoProcess:
        def __init__(self, request: FigureRequest, *_: Any) -> None:
            asked.append(request)

        def draw(self) -> None:
            raise OSError("nothing is drawn here")

        def stop(self) -> None: ...

    monkeypatch.setattr(figures, "FigureProcess", NoProcess)
    async with dashboard(study.folder, LARGE, layout="summary") as d:
        await d.until(lambda: d.app.main.matrix.matrix.genres, "the matrix")
        keys = Counted(d, 12)
        await keys.press("slash", "l", "1", "minus", "enter")
        await d.until(lambda: len(d.app.model.shown) == 24, "the L1 variants")
        await keys.press("space", "space", "down", "space", "F")
        await d.until(lambda: asked, "the figure")
    words = asked[0].arguments
    genres = {words[i + 1] for i, word in enumerate(words) if word == "--genre"}
    assert genres == {"Drama", "Comedy", "Western"}
    assert not any("fc-" in word for word in words)


async def test_the_peak_epoch_of_a_run(study: MadeRuns) -> None:
    async with dashboard(study.folder, LARGE, layout="summary") as d:
        keys = Counted(d, 2)
        await keys.press("3", "down")
        run = d.app.main.table.current
        assert run is not None
        assert any(f"@{run.best_epoch()}" in line and run.variant in line for line in d.lines)


async def test_cancel_what_waits_and_keep_what_runs(study: MadeRuns) -> None:
    study.add("Western", "no-reg", state="running", epochs=1)
    for seed in range(3):
        study.add("Western", "no-reg", seed=seed + 1)
    async with dashboard(study.folder, LARGE, layout="summary") as d:
        keys = Counted(d, 6)
        await keys.press("asterisk", "x", "q")
        await d.until(
            lambda: list(states(study.folder).values()).count("cancelled") == 3, "cancelled"
        )
        assert "running" in states(study.folder).values()
