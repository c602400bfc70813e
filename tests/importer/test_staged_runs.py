"""Runs that are written together come into place whole, beside what others write meanwhile."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from postertui.importer import import_paths, writing
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


def test_folders_made_on_the_way_to_runs_that_are_not_published_go_too(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(KeyboardInterrupt), StagedRuns(tmp_path / "mine/far/away/runs") as new:
        add_all(new, "a")
        raise KeyboardInterrupt
    assert names_in(tmp_path) == ["mine"]
    assert names_in(tmp_path / "mine") == []


def test_runs_folder_may_have_the_longest_name(tmp_path: Path) -> None:
    runs = tmp_path / ("é" * 120)
    with StagedRuns(runs) as new:
        add_all(new, "a")
        assert new.publish() == ["a"]
    assert names_in(tmp_path) == [runs.name]


@pytest.mark.parametrize("exists", [False, True])
def test_import_that_begins_beside_another_lets_it_go_on(
    exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    if exists:
        runs.mkdir()
    make_folder = tempfile.mkdtemp

    def make_folder_and_begin_another(**options: object) -> str:
        folder = make_folder(**options)  # type: ignore[call-overload]
        monkeypatch.undo()
        with StagedRuns(runs):
            return str(folder)

    monkeypatch.setattr(tempfile, "mkdtemp", make_folder_and_begin_another)
    with StagedRuns(runs) as new:
        add_all(new, "a")
        assert new.publish() == ["a"]
    assert names_in(runs) == ["a"]
    assert names_in(tmp_path) == ["runs"]


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


def test_histories_that_another_import_has_added_meanwhile_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, runs = tmp_path / "histories.tsv", tmp_path / "runs"
    header = "Regularizer\tFC1\tFC2\tgenre\tvariant\tepoch\ttest_loss\ttest_fscore"
    rows = [f"L1=1e-5\t256\t256\t{genre}\tbase\t1\t.5\t.25" for genre in ("Comedy", "Drama")]
    table.write_text("\n".join([header, *rows]) + "\n")

    def import_all_first(_folder: int) -> None:
        monkeypatch.undo()
        assert len(import_paths([table], runs).added) == 2

    monkeypatch.setattr(writing, "_sync_file_system", import_all_first)
    report = import_paths([table], runs)
    assert (report.added, report.existing) == ([], 2)
