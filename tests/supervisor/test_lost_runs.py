"""The end of a run whose job could not write it, on real files but without any job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postertui.runs import layout, lifecycle
from postertui.runs.events import EventWriter
from postertui.runs.lock import RunLock
from postertui.runs.spec import write_spec
from postertui.supervisor.lost_runs import MAX_ATTEMPTS, record_lost_run
from tests.support.supervisor import ends, events_of, make_spec


@pytest.fixture
def run(tmp_path: Path) -> Path:
    spec = make_spec()
    write_spec(tmp_path, spec)
    return tmp_path / spec.run


def start(run: Path, **fields: Any) -> None:
    with EventWriter(run / layout.EVENTS) as writer:
        writer.attempt += 1
        writer.append("start", **fields)


def last_end(run: Path) -> tuple[Any, Any, Any]:
    end = ends(run.parent, run.name)[-1]
    return end["status"], end["reason"], end["fault"]


def test_a_run_fails_at_its_third_loss_with_the_end_of_its_log(run: Path) -> None:
    (run / layout.LOG).write_text("".join(f"line {n}\x1b[31m\n" for n in range(30)))
    for _ in range(MAX_ATTEMPTS - 1):
        start(run)
        assert record_lost_run(run, "killed by SIGKILL")
        assert last_end(run) == ("interrupted", "killed by SIGKILL", True)
    start(run)
    assert record_lost_run(run, "killed by SIGTERM")
    status, reason, fault = last_end(run)
    assert (status, fault) == ("failed", True)
    assert reason.startswith("lost 3 times, at last: killed by SIGTERM; see `postertui log ")
    [*_, end] = events_of(run.parent, run.name)
    assert end["log"] == [f"line {n}" for n in range(10, 30)]
    # It has its end now.
    assert record_lost_run(run, "killed again") is False
    assert len(ends(run.parent, run.name)) == MAX_ATTEMPTS


def test_losses_on_request_do_not_count(run: Path) -> None:
    for _ in range(MAX_ATTEMPTS - 1):
        start(run)
        assert record_lost_run(run, "killed")
    for _ in range(MAX_ATTEMPTS + 1):
        start(run)
        assert record_lost_run(run, "the supervisor was stopped", fault=False)
        assert last_end(run) == ("interrupted", "the supervisor was stopped", False)


def test_a_job_that_is_lost_before_its_start_counts_only_where_that_is_said(run: Path) -> None:
    assert record_lost_run(run, "no such device") is False
    assert events_of(run.parent, run.name) == []
    for _ in range(MAX_ATTEMPTS):
        assert record_lost_run(run, "no such device", silent=True)
    assert last_end(run)[0] == "failed"
    assert record_lost_run(run, "no such device", silent=True) is False


def test_a_run_that_was_to_be_cancelled_is_cancelled(run: Path) -> None:
    start(run)
    (run / layout.CANCEL).touch()
    assert record_lost_run(run, "killed by SIGKILL")
    assert ends(run.parent, run.name)[-1]["status"] == "cancelled"
    assert not (run / layout.CANCEL).exists()


def test_a_restart_of_the_machine_is_no_fault(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "boot_id", lambda: "this")
    for _ in range(MAX_ATTEMPTS + 1):
        start(run, boot="before")
        assert record_lost_run(run, "killed")
        assert last_end(run) == ("interrupted", "the machine was restarted", False)
    # It was not restarted since this attempt.
    start(run, boot="this")
    assert record_lost_run(run, "killed")
    assert last_end(run) == ("interrupted", "killed", True)


def test_a_run_that_a_job_holds_is_left_to_it(run: Path) -> None:
    start(run)
    with RunLock(run) as lock:
        assert lock.acquire()
        assert record_lost_run(run, "killed") is None
    assert ends(run.parent, run.name) == []
