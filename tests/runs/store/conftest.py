"""A folder of a done and an interrupted run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dashboard_runs import MadeRuns


@pytest.fixture
def made_runs(tmp_path: Path) -> MadeRuns:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Comedy", epochs=3, state="done")
    made_runs.add("Drama", epochs=3, state="interrupted")
    return made_runs
