"""Any interleaving of events, requests and crashes leads to one consistent table."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from postertui.runs.events import EventWriter
from postertui.runs.store import Run, Store
from postertui.supervisor import requests
from postertui.supervisor.lost_runs import MAX_ATTEMPTS
from postertui.supervisor.service import Supervisor
from postertui.supervisor.stall import StallLimits
from postertui.system.locks import FileLock
from postertui.system.processes import Process, boot_id
from postertui.training.job import checkpoints
from tests.support.supervisor import (
    DONE,
    assert_recorded_once,
    events_of,
    history,
    make_spec,
    queue,
)
from tests.support.thread_schedules import Death, Job, ThreadJobs, adopt_or_die, append_or_die

EPOCHS = 4
SPECS = [make_spec(genre, seed=s, epochs=EPOCHS) for genre in ("Comedy", "Drama") for s in (0, 1)]
NAMES = [spec.run for spec in SPECS]

which = st.sampled_from(range(len(SPECS)))
deaths: st.SearchStrategy[Death] = st.sampled_from(
    ["before", "in save", "untold", "torn", "untaken"]
)


@contextlib.contextmanager
def say_nothing(_log: Path) -> Iterator[Callable[[str], None]]:
    yield lambda _line: None


class RunsFolder(RuleBasedStateMachine):
    """Clients, supervisors and jobs on one folder, and two readers of it."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="machine-"))
        self.folder = self.root / "runs"
        self.folder.mkdir()
        self.jobs: list[Job] = []
        self.supervisor: Supervisor | None = None
        self.kills = 0
        self.cancelled: set[str] = set()
        self.read: dict[str, bytes] = {}
        self.reader = Store(self.folder)
        self.patches: list[Any] = [
            # A power loss is not among the faults here, and the disk is slow.
            mock.patch.object(os, "fsync"),
            mock.patch.object(os, "fdatasync"),
            mock.patch("postertui.training.job.checkpoints.is_due", lambda *_: True),
            mock.patch.object(Process, "current", lambda: Process(2**30, 0, boot_id(), "here")),
            mock.patch.object(EventWriter, "append", append_or_die),
            mock.patch.object(checkpoints, "adopt", adopt_or_die),
            # One process has one standard output; these jobs are threads of it.
            mock.patch("postertui.training.job.attempt.log_to", say_nothing),
            mock.patch.object(FileLock.acquire, "__defaults__", (0.0,)),
        ]
        for patch in self.patches:
            patch.start()
        self.calm = calm_histories()

    def teardown(self) -> None:
        try:
            self._settle_everything()
        finally:
            while self.jobs:
                self.jobs.pop().step("before")
            for patch in self.patches:
                patch.stop()
            shutil.rmtree(self.root)

    # Clients

    @initialize()
    def ask_for_one(self) -> None:
        queue(self.folder, SPECS[0])

    @rule(which=which)
    def ask(self, which: int) -> None:
        queue(self.folder, SPECS[which])
        requests.notify(self.folder)

    @rule(which=which)
    def cancel(self, which: int) -> None:
        name = NAMES[which]
        outcome = requests.cancel(self.folder, [name])[name]
        if outcome in ("done", "requested"):
            self.cancelled.add(name)
        if outcome == "done":
            assert self._state(name) == "cancelled"

    @rule(which=which)
    def retry(self, which: int) -> None:
        name = NAMES[which]
        if requests.retry(self.folder, [name])[name] == "done":
            assert self._state(name) == "queued"
            self.cancelled.discard(name)

    @rule(which=which, kind=st.sampled_from(["pause", "resume", "earlier", "later"]))
    def ask_for_its_turn(self, which: int, kind: str) -> None:
        match kind:
            case "pause":
                requests.pause_runs(self.folder, [NAMES[which]])
            case "resume":
                requests.resume_runs(self.folder, [NAMES[which]])
            case _:
                level = 1 if kind == "earlier" else -1
                requests.set_priority(self.folder, [NAMES[which]], level)

    @rule()
    def pause_or_resume_everything(self) -> None:
        if requests.is_queue_paused(self.folder):
            requests.resume(self.folder)
        else:
            requests.pause(self.folder)

    # Supervisors

    @rule(end=st.sampled_from(["kill", "stop"]))
    @precondition(lambda self: self.supervisor is not None)
    def supervisor_ends(self, end: str) -> None:
        assert self.supervisor is not None
        if end == "stop":
            # It signals the jobs of its predecessors; these are threads, and heed nothing else.
            for job in self.jobs:
                job.step("before")
            self.supervisor.stop()
            self.supervisor.finish()
        self.supervisor = None

    @rule()
    def supervisor_works(self) -> None:
        """One is started where there is none, as any client would."""
        supervisor = self.supervisor or self._new_supervisor()
        self.supervisor = supervisor if supervisor.step(0) else None

    # Jobs

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 3))
    def job_goes_on(self, number: int) -> None:
        self.jobs[number % len(self.jobs)].step()

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 3), death=deaths)
    def job_is_killed(self, number: int, death: Death) -> None:
        job = self.jobs[number % len(self.jobs)]
        self.kills += not job.is_over
        job.step(death)
        # What of it still runs has ended with it.
        while not job.is_over:
            job.step("before")

    @rule()
    def everything_goes_on(self) -> None:
        self.supervisor_works()
        for job in list(self.jobs):
            job.step()

    # What holds at every moment

    @invariant()
    def readers_agree(self) -> None:
        self.reader.refresh()
        fresh = Store(self.folder, cache=False)
        fresh.refresh()
        states_shown = {name: _shown(run) for name, run in self.reader.runs.items()}
        assert states_shown == {name: _shown(run) for name, run in fresh.runs.items()}

    @invariant()
    def nothing_told_is_taken_back(self) -> None:
        for name in self.reader.runs:
            path = self.folder / name / "events.jsonl"
            data = path.read_bytes() if path.exists() else b""
            assert data.startswith(self.read.get(name, b""))
            self.read[name] = data[: data.rfind(b"\n") + 1]
            assert_recorded_once(self.folder, name)

    @invariant()
    def cancelled_stays_cancelled(self) -> None:
        self.reader.refresh()
        for name in self.cancelled:
            run = self.reader.runs[name]
            assert run.state in ("cancelled", "done", "failed") or run.cancelling

    def _new_supervisor(self) -> Supervisor:
        return Supervisor(
            self.folder, ThreadJobs(self.folder, self.jobs), StallLimits(1e9, 1e9, 1e9)
        )

    def _state(self, name: str) -> str:
        self.reader.refresh()
        return self.reader.runs[name].state

    def _settle_everything(self) -> None:
        """No more requests or kills: every run comes to its true end."""
        requests.resume(self.folder)
        requests.resume_runs(self.folder, NAMES)
        for _ in range(1000):
            supervisor = self.supervisor or self._new_supervisor()
            self.supervisor = supervisor if supervisor.step(0) else None
            for job in list(self.jobs):
                job.step()
            if self.supervisor is None and all(job.is_over for job in self.jobs):
                break
        else:
            raise AssertionError("the queue never came to its end")
        self.readers_agree()
        self.nothing_told_is_taken_back()
        for name, run in self.reader.runs.items():
            self._assert_true_end(name, run)

    def _assert_true_end(self, name: str, run: Run) -> None:
        assert run.state in ("done", "cancelled", "failed")
        if name in self.cancelled:
            assert run.state != "failed" or self.kills >= MAX_ATTEMPTS
        else:
            assert run.state != "cancelled"
        if run.state == "failed":
            assert self.kills >= MAX_ATTEMPTS
        if run.state == "done":
            assert history(run) == self.calm[name]
            remaining_files = {path.name for path in (self.folder / name).iterdir()}
            assert remaining_files <= DONE | {"priority"}
        assert not (self.folder / name / "cancel").exists()
        newest = [e for e in events_of(self.folder, name) if e["event"] == "end"]
        assert newest[-1]["status"] == run.state


@functools.cache
def calm_histories() -> dict[str, list[tuple[float | None, ...]]]:
    """What the specs come to where nothing goes wrong."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in queue(folder, *SPECS):
            job = Job(folder, name)
            while not job.is_over:
                job.step()
        store = Store(folder, cache=False)
        store.refresh()
        return {name: history(run) for name, run in store.runs.items()}


def _shown(run: Run) -> tuple[object, ...]:
    reason = run.reason
    return run.state, run.attempt, run.cancelling, run.held, reason, run.damage, history(run)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_any_interleaving_leads_to_one_consistent_table() -> None:
    run_state_machine_as_test(
        RunsFolder,
        settings=settings(
            max_examples=120,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
