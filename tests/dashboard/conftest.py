"""The user's own files are not touched: view, filters and config are in the test's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dashboard_runs import MadeRuns, milestone


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's state and config are kept."""
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    return home


@pytest.fixture
def made_runs(tmp_path: Path) -> Iterator[MadeRuns]:
    """A runs folder for a test to fill."""
    runs = MadeRuns(tmp_path / "runs")
    yield runs
    runs.close()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[MadeRuns]:
    """A study in mid-training."""
    runs = milestone(tmp_path / "runs")
    yield runs
    runs.close()
