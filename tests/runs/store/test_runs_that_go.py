"""Runs that another program moves away, brings back or mends while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postertui.doctor.runs import check_leftovers, check_runs
from postertui.runs import removal
from postertui.runs.lifecycle import RunLifecycle, read_lifecycle
from postertui.runs.run_names import list_runs
from postertui.runs.store import Store, read_run
from postertui.supervisor import requests
from tests.support.dashboard_runs import MadeRuns


@pytest.mark.parametrize("is_read_before", [True, False])
@pytest.mark.parametrize("cache", [True, False])
def test_run_that_goes_once_the_folder_is_listed_is_no_damaged_one(
    made_runs: MadeRuns, monkeypatch: pytest.MonkeyPatch, is_read_before: bool, cache: bool
) -> None:
    folder = made_runs.folder
    comedy, drama = sorted(path.name for path in folder.iterdir())
    store = Store(folder, cache=cache)
    if is_read_before:
        store.refresh()
    with monkeypatch.context() as patched:

        def list_and_remove(root: str) -> set[str]:
            names = list_runs(root)
            removal.remove(folder, [comedy, drama])
            return names

        patched.setattr("postertui.runs.store.reader.list_runs", list_and_remove)
        (folder / ".touched").touch()
        assert store.refresh() >= {comedy, drama}
    assert dict(store.runs) == {}
    assert store.waiting_runs == 0
    assert read_run(folder, comedy) is None
    removal.undo(folder)
    assert store.refresh() == {comedy, drama}
    assert [(run.state, run.damage, run.epoch) for _, run in sorted(store.runs.items())] == [
        ("done", None, 3),
        ("interrupted", None, 3),
    ]


def test_run_that_is_mended_by_now_is_not_moved_aside(made_runs: MadeRuns) -> None:
    [path, *_] = sorted(made_runs.folder.iterdir())
    (path / "lock").touch()
    spec = (path / "run.json").read_bytes()
    (path / "run.json").unlink()
    store = Store(made_runs.folder, cache=False)
    store.refresh()
    assert store.runs[path.name].problem == "damaged"
    (path / "run.json").write_bytes(spec)
    assert [f.status for f in check_runs(store, repair=True)] == ["ok", "ok"]
    assert (path / "run.json").exists()
    (path / "run.json").unlink()
    list(check_runs(store, repair=True))
    assert not path.exists()


def test_draft_that_goes_while_doctor_looks_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_one_that_went(folder: Path, _pattern: str) -> Iterator[Path]:
        yield folder / ".new-gone"
        raise FileNotFoundError(folder)  # a run that goes, too

    monkeypatch.setattr(Path, "glob", find_one_that_went)
    assert list(check_leftovers(tmp_path, repair=True)) == []


def test_request_for_a_run_that_goes_meanwhile_says_that_it_is_missing(
    made_runs: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_runs.folder
    failed = made_runs.add("Horror", epochs=1, state="failed")
    [run] = (path.name for path in folder.iterdir() if path.name.startswith("drama"))

    def read_and_remove(path: Path) -> RunLifecycle:
        lifecycle = read_lifecycle(path)
        removal.remove(folder, [path.name])
        return lifecycle

    monkeypatch.setattr("postertui.supervisor.run_requests.read_lifecycle", read_and_remove)
    assert requests.retry(folder, [failed]) == {failed: "missing"}
    assert requests.cancel(folder, [run]) == {run: "missing"}
    assert not (folder / run).exists()


def test_undo_goes_on_where_another_undo_was_first(
    made_runs: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_runs.folder
    comedy, drama = sorted(path.name for path in folder.iterdir())
    removal.remove(folder, [comedy, drama])
    gone = folder / ".removed" / "1" / comedy
    listed = [gone, gone.with_name(drama)]
    gone.rename(folder / comedy)
    monkeypatch.setattr(removal, "_runs_of", lambda _: listed)
    assert removal.undo(folder) == ([drama], [])
    monkeypatch.undo()
    assert removal._runs_of(folder / ".removed" / "1") == []
    assert {path.name for path in folder.iterdir()} == {comedy, drama, ".removed"}
