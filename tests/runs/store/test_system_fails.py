"""Where the system fails to read a run, for lack of files or an answer, nothing is damaged."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from postertui.doctor.runs import check_runs
from postertui.runs.lock import RunLock
from postertui.runs.store import Store
from postertui.supervisor.supervised_runs import SupervisedRuns
from tests.support.dashboard_runs import MadeRuns
from tests.support.supervisor import make_spec, queue


class FailingSystem:
    """Opening files called `name` fails with the error `number`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
        self._open, self._flock = os.open, fcntl.flock
        self.name, self.number = name, number
        monkeypatch.setattr(os, "open", self.open)
        monkeypatch.setattr(fcntl, "flock", self.flock)

    def open(self, path: Any, *args: Any, **kwargs: Any) -> int:
        if self.number and os.fspath(path).endswith(f"/{self.name}"):
            raise OSError(self.number, os.strerror(self.number), os.fspath(path))
        return self._open(path, *args, **kwargs)

    def flock(self, fd: int, kind: int) -> None:
        if self.number and self.name == "flock":
            raise OSError(self.number, os.strerror(self.number))
        self._flock(fd, kind)

    def mend(self) -> None:
        self.number = 0


@pytest.mark.parametrize(
    ("name", "number", "reason"),
    [
        ("run.json", errno.EMFILE, "Too many open files"),
        ("events.jsonl", errno.EMFILE, "Too many open files"),
        ("events.jsonl", errno.EIO, "Input/output error"),
        ("flock", errno.ENOLCK, "No locks available"),
    ],
)
@pytest.mark.parametrize("is_read_before", [True, False])
def test_runs_are_read_again_and_never_moved_aside(
    made_runs: MadeRuns,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
    reason: str,
    is_read_before: bool,
) -> None:
    folder = made_runs.folder
    for path in folder.iterdir():
        (path / "lock").touch()
    names = {path.name for path in folder.iterdir()}
    store = Store(folder, cache=False)
    if is_read_before:
        store.refresh()
        for path in folder.glob("*/events.jsonl"):
            os.utime(path, ns=(0, 0))
        for path in folder.glob("*/run.json"):
            os.utime(path, ns=(0, 0))
    system = FailingSystem(monkeypatch, name, number)
    store.refresh()
    unread = [run for run in store.runs.values() if run.damage is not None]
    assert [run.problem for run in unread] == ["unreadable"] * len(unread)
    assert unread or is_read_before
    assert all(run.damage.endswith(f": {reason}; try again") for run in unread if run.damage)
    assert all(str(folder / run.name) in (run.damage or "") for run in unread)
    findings = list(check_runs(store, repair=True))
    assert [f.mend for f in findings if f.status == "wrong"] == ["try again"] * len(unread)
    assert {path.name for path in folder.iterdir()} == names
    system.mend()
    store.refresh()
    assert {run.name.partition("--")[0]: run.state for run in store.runs.values()} == {
        "comedy": "done",
        "drama": "interrupted",
    }
    assert all(run.damage is None and run.epoch == 3 for run in store.runs.values())


def test_damaged_run_stays_where_its_lock_cannot_be_tried(
    made_runs: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    [path, *_] = sorted(made_runs.folder.iterdir())
    (path / "lock").touch()
    (path / "events.jsonl").write_text("not an event\n")
    store = Store(made_runs.folder, cache=False)
    store.refresh()
    system = FailingSystem(monkeypatch, "flock", errno.ENOLCK)
    findings = list(check_runs(store, repair=True))
    assert [(f.text, f.mend) for f in findings if f.status == "wrong"] == [
        (f"{path}: No locks available", "try again")
    ]
    assert path.exists()
    system.mend()
    list(check_runs(store, repair=True))
    assert not path.exists()


def test_lock_that_the_file_system_has_not_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FailingSystem(monkeypatch, "flock", errno.ENOLCK)
    with pytest.raises(OSError, match="No locks available") as caught:
        RunLock(tmp_path).acquire()
    assert caught.value.filename == str(tmp_path / "lock")


def test_lock_is_not_displaced_because_its_file_system_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the supervisor would end all of its jobs."""
    numbers = [errno.EIO, errno.ETIMEDOUT, errno.ENOENT]

    def fail(path: Path, **_: object) -> os.stat_result:
        raise OSError(numbers[0], os.strerror(numbers[0]), str(path))

    with RunLock(tmp_path) as lock:
        assert lock.acquire()
        with monkeypatch.context() as failing:
            failing.setattr(Path, "stat", fail)
            while numbers:
                assert lock.is_displaced() == (numbers[0] == errno.ENOENT)
                numbers.pop(0)
        assert not lock.is_displaced()


@pytest.mark.parametrize("name", ["run.json", "events.jsonl"])
def test_the_queue_reads_such_a_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    [run] = queue(tmp_path, make_spec())
    (tmp_path / run / "events.jsonl").touch()
    system = FailingSystem(monkeypatch, name, errno.ESTALE)
    runs = SupervisedRuns(tmp_path, lambda: True)
    runs.scan()
    assert list(runs.waiting) == []
    system.mend()
    runs.scan()
    assert list(runs.waiting) == [run]
