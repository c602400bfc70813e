"""A job that hangs is ended and its run resumed; so is one that hangs inside compiled code."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from postertui.supervisor import requests
from postertui.supervisor.stall import StallLimits
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    ends,
    job_of,
    kill,
    make_spec,
    pace,
    queue,
    read,
    recorded_epochs,
    supervisor_of,
    train_all,
    wait_for,
)


def test_hung_run_is_ended_and_resumed_while_others_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTERTUI_STALL", "1.5")
    hung, other = make_spec("hang-once"), make_spec("Comedy", epochs=30)
    queue(folder, hung, other)
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, hung, other)
    [stalled, _] = ends(folder, hung.run)
    assert stalled["status"] == "interrupted"
    assert stalled["reason"].startswith("stalled: no event for")
    assert read(folder)[other.run].attempt == 1


def test_job_that_was_stopped_is_stalled_too_when_adopted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor that did not start the job ends it by what the run's start says."""
    monkeypatch.setenv("POSTERTUI_STALL", "1.5")
    pace(folder, 0.05)
    spec = make_spec(epochs=100)
    queue(folder, spec)
    requests.ensure_supervisor(folder, jobs=1)
    wait_for(lambda: recorded_epochs(folder, spec.run) >= 2)
    job = job_of(folder, spec.run)
    job.signal(signal.SIGSTOP)
    pace(folder, 0)
    kill(supervisor_of(folder))
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, spec)


def test_patience_follows_the_epochs_and_is_longest_before_the_first() -> None:
    limits = StallLimits()
    assert limits.timeout(None) > limits.timeout(1.0)
    assert limits.timeout(60.0) >= 10 * 60
    assert limits.timeout(0.01) >= 60
