"""Runs that are written together come into place whole, beside what others write meanwhile."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from postertui.importer.writing import StagedRuns
from tests.support.specs import made_spec

EVENTS = b"events\n"


def add_all(runs: StagedRuns, *names: str) -> None:
    for name in names:
        runs.add(name, made_spec(), EVENTS)


def names_in(folder: Path) -> list[str]:
    """All names, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def test_new_runs_folder_comes_into_place_in_one_step_and_is_its_owners_alone(
    tmp_path: Path,
) -> None:
    runs = tmp_path / "far" / "runs"
    with StagedRuns(runs) as new:
        add_all(new, "a", "b")
        assert not runs.exists()
        assert new.publish() == ["a", "b"]
    assert names_in(runs) == ["a", "b"]
    assert (runs / "b/events.jsonl").read_bytes() == EVENTS
    assert stat.S_IMODE(runs.stat().st_mode) == 0o700
    assert names_in(runs.parent) == ["runs"]


def test_runs_that_are_not_published_leave_nothing(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(KeyboardInterrupt), StagedRuns(runs) as new:
        add_all(new, "a")
        raise KeyboardInterrupt
    assert names_in(tmp_path) == []


def test_two_that_make_the_same_folder_both_have_their_runs_in_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with StagedRuns(runs) as first:
        add_all(first, "a", "both")
        with StagedRuns(runs) as second:
            add_all(second, "b", "both")
            assert first.publish() == ["a", "both"]
            assert second.publish() == ["b"]
    assert names_in(runs) == ["a", "b", "both"]
    assert names_in(tmp_path) == ["runs"]


def test_folder_that_another_made_meanwhile_stays_the_folder(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with StagedRuns(runs) as new:
        add_all(new, "a")
        runs.mkdir()
        made = runs.stat().st_ino
        assert new.publish() == ["a"]
    assert runs.stat().st_ino == made
    assert names_in(runs) == ["a"]
    assert names_in(tmp_path) == ["runs"]
