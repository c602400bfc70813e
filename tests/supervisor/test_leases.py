"""Supervisor and jobs end once their folder is not where it was; a frozen machine loses nothing."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest

from postertui.runs import layout
from postertui.runs.lifecycle import read_lifecycle
from postertui.supervisor import requests
from postertui.supervisor.service import FROZEN_AFTER, Supervisor
from postertui.supervisor.stall import StallLimits
from postertui.system.locks import FileLock
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    assert_nothing_left,
    make_spec,
    pace,
    processes_of,
    queue,
    read,
    supervisor_of,
    train_all,
    train_slowly,
    wait_for,
    wait_until_over,
)


def test_runs_of_a_moved_folder_are_interrupted_and_go_on_there(
    folder: Path, tmp_path: Path
) -> None:
    specs = [make_spec(genre, epochs=200) for genre in ("Comedy", "Drama")]
    train_slowly(folder, *specs, jobs=2, epochs=3)
    moved = folder.with_name("moved")
    folder.rename(moved)
    wait_for(lambda: not processes_of(folder), "supervisor and jobs to end")
    for run in read(moved).values():
        assert run.state == "interrupted"
        # The job notices by itself, or is stopped by its supervisor, which does.
        assert run.reason in ("the run's folder was moved or removed", "stopped by SIGTERM")
        assert run.epoch >= 3
    pace(moved, 0)
    train_all(moved)
    assert_as_if_undisturbed(moved, tmp_path, *specs)


@pytest.mark.parametrize("way", ["deleted", "moved"])
def test_folder_that_is_made_anew_while_work_goes_on(
    folder: Path, tmp_path: Path, way: str
) -> None:
    spec = make_spec(epochs=200)
    [name] = train_slowly(folder, spec, epochs=3)
    folder.rename(folder.with_name("elsewhere"))
    if way == "deleted":
        shutil.rmtree(folder.with_name("elsewhere"), ignore_errors=True)
    pace(folder, 0)
    queue(folder, spec, make_spec("Drama"))
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_over(folder)
    wait_for(lambda: {run.state for run in read(folder).values()} == {"done"}, "all to be done")
    assert_as_if_undisturbed(folder, tmp_path, spec, make_spec("Drama"))
    assert read(folder)[name].attempt == 1, "nothing of the old folder's was written here"


def test_supervisor_ends_without_its_lock_file(folder: Path) -> None:
    [name] = train_slowly(folder, make_spec(epochs=10_000))
    supervisor = supervisor_of(folder)
    (folder / layout.SUPERVISOR_LOCK).unlink()
    wait_for(lambda: not supervisor.is_alive(), "the supervisor's end")
    wait_for(lambda: not processes_of(folder), "the job's end")
    assert read_lifecycle(folder / name).status == "interrupted"


def test_lock_whose_file_is_replaced_excludes_no_more_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = FileLock(path), FileLock(path)
    assert not first.is_displaced()
    assert first.acquire()
    assert not first.is_displaced()
    assert not second.acquire(patience=0)
    path.unlink()
    assert first.is_displaced()
    assert second.acquire(patience=0)
    assert not second.is_displaced()
    second.release()
    first.release()
    assert not first.is_displaced()


class _Clock:
    """A monotonic clock that can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._monotonic = time.monotonic

    def __call__(self) -> float:
        return self._monotonic() + self.ahead


def test_after_a_gap_in_its_own_clock_a_run_has_its_whole_patience(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.thread_schedules import ThreadJobs

    clock = _Clock()
    monkeypatch.setattr("time.monotonic", clock)
    [name] = queue(folder, make_spec(epochs=10))
    killed: list[str] = []
    jobs = ThreadJobs(folder, [])
    monkeypatch.setattr(jobs, "kill", lambda run, _reason: killed.append(run))
    limit = 5 * FROZEN_AFTER
    supervisor = Supervisor(folder, jobs, StallLimits(limit, 1.0, limit))
    supervisor.step(0)
    for _ in range(3):
        clock.ahead += 10 * limit  # frozen, with all of its jobs
        supervisor.step(0)
        assert killed == []
    for _ in range(9):
        clock.ahead += 0.6 * FROZEN_AFTER  # at work, and the run is silent
        supervisor.step(0)
    assert killed == [name]


def test_frozen_supervisor_and_jobs_go_on_as_if_nothing_had_been(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTERTUI_STALL", "12")
    specs = [make_spec(genre, epochs=100) for genre in ("Comedy", "Drama")]
    train_slowly(folder, *specs, jobs=2, epochs=3)
    frozen = processes_of(folder)
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    time.sleep(13)  # the freeze itself, longer than the patience
    for process in frozen:
        process.send_signal(signal.SIGCONT)
    pace(folder, 0)
    wait_until_over(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)
    assert {run.attempt for run in read(folder).values()} == {1}
    assert_nothing_left(folder)
