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
    made_runs = MadeRuns(tmp_path / "runs")
    comedy = made_runs.add("Comedy", epochs=3, state="done")
    drama = made_runs.add("Drama", epochs=3, state="done")
    where = ("--runs", made_runs.folder)
    before = contents(made_runs.folder / comedy)
    refused = postertui("rm", "genre:comedy", *where)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert listed(made_runs.folder) == sorted([comedy, drama])
    removed = postertui("rm", "genre:comedy", "--yes", "--json", *where)
    assert removed.returncode == 0, removed.stderr
    assert json.loads(removed.stdout) == {"moved": [comedy], "left": []}
    assert listed(made_runs.folder) == [drama]
    # The newest removal comes back first.
    assert postertui("rm", drama, "--yes", *where).returncode == 0
    assert listed(made_runs.folder) == []
    assert "brought back 1 run" in postertui("rm", "--undo", *where).stderr
    assert listed(made_runs.folder) == [drama]
    assert postertui("rm", "--undo", *where).returncode == 0
    assert listed(made_runs.folder) == sorted([comedy, drama])
    assert contents(made_runs.folder / comedy).items() >= before.items()


def test_a_filter_beside_all_removes_nothing(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    names = [made_runs.add(genre, epochs=1, state="done") for genre in ("Comedy", "Drama")]
    result = postertui("rm", "genre:comedy", "--all", "--yes", "--runs", made_runs.folder)
    assert result.returncode == 2
    assert listed(made_runs.folder) == sorted(names)


def test_a_run_that_is_trained_stays(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    running = made_runs.add("Comedy", epochs=3, state="running")
    result = postertui("rm", "--all", "--yes", "--runs", made_runs.folder)
    assert result.returncode == 1
    assert "left 1 run: being trained" in result.stderr
    assert listed(made_runs.folder) == [running]
    made_runs.close()


def test_undo_replaces_nothing_and_empty_is_for_good(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    name = made_runs.add("Comedy", epochs=3, state="done")
    where = ("--runs", made_runs.folder)
    assert postertui("rm", name, "--yes", *where).returncode == 0
    assert made_runs.add("Comedy") == name  # asked for again meanwhile
    undone = postertui("rm", "--undo", *where)
    assert undone.returncode == 1
    assert "a run of that name is there" in undone.stderr
    assert not (made_runs.folder / name / "events.jsonl").exists()
    assert postertui("rm", "--empty", "--yes", *where).returncode == 0
    again = postertui("rm", "--empty", *where)
    assert (again.returncode, again.stderr) == (0, "no removed runs, nothing to delete\n")
    assert not (made_runs.folder / ".removed").exists()
    assert listed(made_runs.folder) == [name]
    assert postertui("rm", *where).returncode == 2


def test_runs_whose_locks_are_no_files_are_removed_with_the_others(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    names = [
        made_runs.add(genre, epochs=1, state="done") for genre in ("Comedy", "Drama", "Horror")
    ]
    lock = made_runs.folder / names[0] / "lock"
    lock.unlink(missing_ok=True)
    lock.symlink_to(tmp_path / "outside")
    result = postertui("rm", "--all", "--yes", "--runs", made_runs.folder)
    assert result.returncode == 0, result.stderr
    assert "removed 3 runs" in result.stderr
    assert not (tmp_path / "outside").exists()


def test_only_runs_are_brought_back(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    name = made_runs.add("Comedy", epochs=1, state="done")
    assert postertui("rm", name, "--yes", "--runs", made_runs.folder).returncode == 0
    removal = made_runs.folder / ".removed" / "1"
    (removal / ".settings.json").write_text('{"on": "ray:elsewhere.example"}')
    (removal / "link--base--s0--00000000").symlink_to(tmp_path)
    (made_runs.folder / ".removed" / "7").write_text("not a removal")
    result = postertui("rm", "--undo", "--runs", made_runs.folder)
    assert "brought back 1 run" in result.stderr
    assert listed(made_runs.folder) == [name]
    assert not (made_runs.folder / ".settings.json").exists()
    assert not (made_runs.folder / "link--base--s0--00000000").is_symlink()


def test_nothing_is_removed_to_or_moved_aside_to_where_a_link_leads(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Comedy", epochs=1, state="done")
    (made_runs.folder / "damaged--base--s0--00000000").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in (".removed", ".damaged"):
        (made_runs.folder / name).symlink_to(outside)
    where = ("--runs", made_runs.folder)
    removed = postertui("rm", "--all", "--yes", *where)
    assert removed.returncode == 1
    assert ".removed: is a link, which is not followed" in removed.stderr
    repaired = postertui("doctor", "--repair", *where)
    assert "is a link, which is not followed" in repaired.stdout
    assert list(outside.iterdir()) == []
