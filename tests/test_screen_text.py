"""The tests' own eyes: words are found wherever a screen wraps them, and nowhere else."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.support.dashboard_driver import SMALL, dashboard
from tests.support.screen_text import ScreenText


@pytest.mark.parametrize("width", range(8, 60))
def test_words_are_found_at_any_width(width: int) -> None:
    rows = textwrap.wrap("/a/long/path/to/some/data: no data yet; build it", width)
    for words in ("no data yet", "data: no", "build it", "some/data"):
        assert words in ScreenText(row.ljust(width) for row in rows)
        assert words in ScreenText(f"│ {row.ljust(width)} │" for row in rows)


def test_words_are_not_found_where_they_are_not() -> None:
    screen = ScreenText(["queued runs  ", "no", "data"])
    assert "nodata" in screen  # a word may be broken anywhere
    for words in ("no  data", "queuedruns", " queue ", "runs data", "x"):
        assert words not in screen


async def test_each_widget_wraps_by_itself(tmp_path: Path) -> None:
    missing = tmp_path / ("folder" * 12)
    async with dashboard(tmp_path / "runs", SMALL, data=missing) as d:
        await d.press("n")
        await d.shows("no data yet")
