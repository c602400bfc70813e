"""The user's own files are not touched: view, filters and config are in the test's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postertui.data.posters import build_dataset
from postertui.data.synthetic import make_posters
from postertui.supervisor import requests
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


@pytest.fixture(scope="session")
def launch_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of three genres."""
    folder = tmp_path_factory.mktemp("made")
    posters = make_posters(folder / "posters", 20)
    build_dataset(posters.posters, posters.labels, folder / "data")
    return folder / "data"


@pytest.fixture
def supervisor_starts(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Nothing trains; the jobs at a time of each supervisor that would have been started."""
    starts: list[int | None] = []

    def ensure(_: Path, *, jobs: int | None = None) -> bool:
        starts.append(jobs)
        return True

    monkeypatch.setattr(requests, "ensure_supervisor", ensure)
    monkeypatch.setenv("POSTERTUI_TRAINER", "none:None")
    return starts
