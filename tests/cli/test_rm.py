"""`postertui rm`: removed runs are gone from everything, and come back until they are deleted."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.analysis_runs import postertui
from tests.support.dashboard_runs import MadeRuns


def listed(folder: Path) -> list[str]:
    result = postertui("runs", "--json", "--runs", folder)
    return sorted(run["run"] for run in json.loads(result.stdout or "[]"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_removed_runs_are_gone_and_come_back_unchanged(tmp_path: Path) -> None:
    made = MadeRuns(tmp_path / "runs")
    comedy = made.add("Comedy", epochs=3, state="done")
    drama = made.add("Drama", epochs=3, state="done")
    where = ("--runs", made.folder)
    before = contents(made.folder / comedy)
    refused = postertui("rm", "genre:comedy", *where)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert listed(made.folder) == sorted([comedy, drama])
    removed = postertui("rm", "genre:comedy", "--yes", "--json", *where)
    assert removed.returncode == 0, removed.stderr
    assert json.loads(removed.stdout) == {"moved": [comedy], "left": []}
    assert listed(made.folder) == [drama]
    # The newest removal comes back first.
    assert postertui("rm", drama, "--yes", *where).returncode == 0
    assert listed(made.folder) == []
    assert "brought back 1 run" in postertui("rm", "--undo", *where).stderr
    assert listed(made.folder) == [drama]
    assert postertui("rm", "--undo", *where).returncode == 0
    assert listed(made.folder) == sorted([comedy, drama])
    assert contents(made.folder / comedy).items() >= before.items()


def test_a_run_that_is_trained_stays(tmp_path: Path) -> None:
    made = MadeRuns(tmp_path / "runs")
    running = made.add("Comedy", epochs=3, state="running")
    result = postertui("rm", "--all", "--yes", "--runs", made.folder)
    assert result.returncode == 1
    assert "left 1 run: being trained" in result.stderr
    assert listed(made.folder) == [running]
    made.close()


def test_undo_replaces_nothing_and_empty_is_for_good(tmp_path: Path) -> None:
    made = MadeRuns(tmp_path / "runs")
    name = made.add("Comedy", epochs=3, state="done")
    where = ("--runs", made.folder)
    assert postertui("rm", name, "--yes", *where).returncode == 0
    assert made.add("Comedy") == name  # asked for again meanwhile
    undone = postertui("rm", "--undo", *where)
    assert undone.returncode == 1
    assert "a run of that name is there" in undone.stderr
    assert not (made.folder / name / "events.jsonl").exists()
    assert postertui("rm", "--empty", "--yes", *where).returncode == 0
    assert not (made.folder / ".removed").exists()
    assert listed(made.folder) == [name]
    assert postertui("rm", *where).returncode == 2
