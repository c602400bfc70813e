"""Removing runs while other programs remove, train or undo: nothing is half done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from postertui.runs import removal
from postertui.runs.lock import RunLock
from postertui.system.locks import FileLock
from tests.support.supervisor import wait_for


def make_runs(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "run.json").write_text("{}")
        (folder / name / "lock").touch()


def open_descriptors(path: Path) -> int:
    """How many descriptors this process has of the file at `path`."""
    links = [os.path.join("/proc/self/fd", fd) for fd in os.listdir("/proc/self/fd")]  # noqa: PTH118, PTH208
    return sum(os.path.realpath(link) == os.path.realpath(path) for link in links)


def during(held: RunLock, path: Path, act: Callable[[], Any]) -> Any:
    """What `act` returns or raises whose lock at `path` is moved away while it waits for it."""
    assert held.acquire()
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(act)
        wait_for(lambda: open_descriptors(path) == 2, "the lock to be opened")
        path.parent.rename(path.parent.with_name("elsewhere"))
        held.release()
        return result.result()


def test_lock_whose_folder_goes_while_it_is_waited_for_is_missing(tmp_path: Path) -> None:
    make_runs(tmp_path, "run")
    path = tmp_path / "run" / "lock"
    with pytest.raises(FileNotFoundError) as caught:
        during(RunLock(tmp_path / "run"), path, lambda: FileLock(path).acquire(patience=60))
    assert caught.value.filename == str(path)


def test_run_that_another_program_removes_first_keeps_no_other_from_being_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_runs(tmp_path, "first", "second")
    monkeypatch.setattr(FileLock.acquire, "__defaults__", (60.0,))
    outcome = during(
        RunLock(tmp_path / "first"),
        tmp_path / "first" / "lock",
        lambda: removal.remove(tmp_path, ["first", "second"]),
    )
    assert outcome == (["second"], [])
    assert removal.undo(tmp_path) == (["second"], [])


def test_removals_that_begin_at_once_have_a_number_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_runs(tmp_path, "first", "second")
    list_removals = removal._removals
    early_lists: list[list[Path]] = [[]]
    # The other program's removal begins after this one has looked.
    monkeypatch.setattr(
        removal,
        "_removals",
        lambda folder: early_lists.pop() if early_lists else list_removals(folder),
    )
    (tmp_path / ".removed" / "1").mkdir(parents=True)
    assert removal.remove(tmp_path, ["first"]) == (["first"], [])
    assert removal.removed_runs(tmp_path) == ["first"]


def test_what_is_deleted_in_part_is_not_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_runs(tmp_path, "run")
    removal.remove(tmp_path, ["run"])
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", end_while_deleting)
        with pytest.raises(KeyboardInterrupt):
            removal.empty(tmp_path)
    assert removal.undo(tmp_path) == ([], [])
    assert not (tmp_path / "run").exists()
    assert removal.remove(tmp_path, []) == ([], [])
    removal.empty(tmp_path)
    assert [path.name[:5] for path in tmp_path.iterdir()] == [".new-"]


def end_while_deleting(folder: Path) -> None:
    next(folder.rglob("run.json")).unlink()
    raise KeyboardInterrupt
