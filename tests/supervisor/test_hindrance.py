"""What keeps jobs from being started is waited for; no run is lost to it or tried for ever."""

from __future__ import annotations

import errno
import os
import resource
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from postertui.runs import layout
from postertui.supervisor import requests
from postertui.supervisor.backends.base import Assignment, RunReport
from postertui.supervisor.folder import read_status
from postertui.supervisor.hindrance import LONGEST_WAIT
from postertui.supervisor.service import Supervisor
from tests.support.supervisor import (
    events_of,
    make_spec,
    pace,
    queue,
    states,
    supervisor_of,
    train_slowly,
    wait_until_over,
)


class OneSlot:
    """A backend of one slot, on which what goes wrong is decided by the test."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.report: RunReport | None = None
        self.tries = 0
        self._run: str | None = None

    def submit(self, runs: Sequence[str], *, exclusive: bool = False) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        [self._run] = runs

    def poll(self, timeout: float) -> list[RunReport]:
        if self._run is None or self.report is None:
            return []
        self._run = None
        return [self.report]

    def capacity(self, *, exclusive: bool = False) -> int:
        return int(self._run is None)

    def slot_count(self) -> int:
        return 1

    def assignments(self) -> list[Assignment]:
        return [Assignment(self._run, "job", "cpu")]

    def runs_in_progress(self) -> list[str]:
        return []

    def close(self, patience: float) -> list[RunReport]:
        return []

    def resize(self, jobs: int) -> None: ...

    def kill(self, run: str, reason: str) -> None: ...

    def blocking_reason(self) -> str | None: ...

    def warning(self) -> str | None: ...

    def memory(self) -> str:
        return ""


class Clock:
    """A monotonic clock that stands still until it is set forward."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


def test_run_whose_job_cannot_be_started_waits_and_is_tried_again(
    tmp_path: Path, clock: Clock
) -> None:
    [name] = queue(tmp_path, make_spec())
    backend = OneSlot()
    backend.error = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    supervisor = Supervisor(tmp_path, backend)
    for _ in range(10):
        assert supervisor.step(0), "there is still work"
    assert backend.tries == 1
    status = read_status(tmp_path)
    assert status.queued == 1
    assert status.waiting == (
        "no job can be started: Resource temporarily unavailable; the queue waits"
    )
    requests.notify(tmp_path)
    supervisor.step(0)
    assert backend.tries == 2, "a request of a client is reason to try at once"
    backend.error = None
    clock.now += LONGEST_WAIT
    supervisor.step(0)
    assert [a.run for a in backend.assignments()] == [name]
    assert read_status(tmp_path).waiting is None


def test_run_for_which_there_is_too_little_room_is_tried_less_and_less_often(
    tmp_path: Path, clock: Clock
) -> None:
    """There may be room for what is looked at, and none for its checkpoint."""
    [name] = queue(tmp_path, make_spec())
    backend = OneSlot()
    backend.report = RunReport(name, "full", "no room left on the disk of elsewhere")
    supervisor = Supervisor(tmp_path, backend)

    def tries_in(seconds: int) -> int:
        before = backend.tries
        for _ in range(seconds):
            supervisor.step(0)
            clock.now += 1
        return backend.tries - before

    assert 2 <= tries_in(30) <= 6
    assert tries_in(600) <= 11
    supervisor.step(0)
    assert read_status(tmp_path).waiting == (
        "no room left on the disk of elsewhere; the queue waits"
    )
    # Once a run has come to its end, what is met next is something new.
    backend.report = RunReport(name, "released")
    tries_in(61)
    backend.report = RunReport(name, "full", "no room left on the disk of elsewhere")
    assert 2 <= tries_in(20) <= 6


def test_supervisor_goes_on_without_its_log(folder: Path) -> None:
    """Which may be on a full disk; here, no file of the supervisor may grow."""
    [name] = train_slowly(folder, make_spec(epochs=60))
    supervisor = supervisor_of(folder)
    (folder / "damaged--base--s0--00000000").mkdir()
    size = (folder / layout.SUPERVISOR_LOG).stat().st_size
    resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    supervisor.signal(signal.SIGUSR1)
    supervisor.signal(signal.SIGHUP)
    requests.notify(folder)
    [late] = queue(folder, make_spec("Drama"))
    pace(folder, 0)
    wait_until_over(folder)
    assert {name: "done", late: "done"}.items() <= states(folder).items()
    assert [event["pid"] for event in events_of(folder, late) if event["event"] == "start"]
    assert read_status(folder).failure is None
