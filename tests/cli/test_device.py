"""What `train` says about devices, settings and logouts before it queues anything."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.supervisor import requests, starting
from tests.support.poster_data import make_data
from tests.support.supervisor import (
    ROOT,
    cheap_environment,
    events_of,
    make_spec,
    queue,
    states,
    wait_for,
    wait_until_over,
)

NVML = """
def nvmlInit(): pass
def nvmlShutdown(): pass
def nvmlDeviceGetCount(): return 1
"""

BLIND = """
from tests.support.cheap_trainer import CheapTrainer

class Blind(CheapTrainer):
    def accelerators(self):
        return ()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Data, a driver that lists one GPU, and a trainer that cannot use it."""
    make_data(tmp_path / "data")
    (tmp_path / "pynvml.py").write_text(NVML)
    (tmp_path / "blind.py").write_text(BLIND)
    return tmp_path


def train(place: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "postertui", "train", "--weights", "random"]
    command += ["--variant", "base", "--epochs", "2", "--genre", "Comedy", "--jobs", "1", *args]
    environment = cheap_environment(PYTHONPATH=f"{place}{os.pathsep}{ROOT}", CHEAP_NOTES="")
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    return subprocess.run(
        command,
        cwd=place,
        env=environment | {"POSTERTUI_TRAINER": "blind:Blind"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_gpu_asked_for_is_an_error_before_anything_is_queued(place: Path) -> None:
    for args, variables in (
        (("--device", "gpu"), {}),
        (("--gpu", "0.5"), {}),
        ((), {"CUDA_VISIBLE_DEVICES": "0"}),
    ):
        result = train(place, *args, **variables)
        assert result.returncode == 2, result.stderr
        last = result.stderr.strip().splitlines()[-1]
        assert "was asked for and cannot be used: Blind does not see it" in last
        assert last.endswith("--device cpu goes on")
        assert not (place / "runs").exists()


def test_gpu_that_is_not_used_is_a_warning_and_the_cpu_is_said(place: Path) -> None:
    result = train(place)
    assert result.returncode == 0, result.stderr
    assert "Warning: gpu:0: not used, jobs train on the CPU: Blind" in result.stderr
    [run] = states(place / "runs")
    assert events_of(place / "runs", run)[0]["device"] == "cpu"
    # Asked for on purpose, it is no warning, now and later.
    meant = train(place, "--device", "cpu", "--genre", "Drama")
    assert "Warning" not in meant.stderr
    later = train(place, "--seeds", "2")
    assert "Warning" not in later.stderr
    assert "On the CPU, as asked before" in later.stderr
    log = (place / "runs" / run / "log.txt").read_text()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4} attempt 1 on cpu", log)


def test_dry_run_says_what_training_would_run_into(place: Path) -> None:
    refused = train(place, "--dry-run", "--device", "gpu")
    assert refused.returncode == 2
    assert "was asked for and cannot be used: Blind does not see it" in refused.stderr
    planned = train(place, "--dry-run")
    assert planned.returncode == 0
    assert "Warning: gpu:0: not used, jobs train on the CPU: Blind" in planned.stderr
    assert not (place / "runs").exists()
    queue(place / "runs", make_spec())
    waiting = train(place, "--dry-run", "--device", "cpu")
    assert (
        "Waiting: 1 run waits and no supervisor is at work; `postertui resume` goes on"
        in waiting.stderr
    )


def test_second_train_is_told_what_does_not_count(place: Path) -> None:
    first = train(place, "--detach", "--epochs", "400", CHEAP_SECONDS="0.05")
    assert first.returncode == 0, first.stderr
    try:
        wait_for(lambda: requests.status(place / "runs").job_settings, "the supervisor's settings")
        second = train(place, "--detach", "--genre", "Drama", POSTERTUI_JOB_MEMORY_MB="3000")
        assert (
            "POSTERTUI_JOB_MEMORY_MB=3000 does not count: the supervisor at work was started "
            "without POSTERTUI_JOB_MEMORY_MB" in second.stderr
        )
        assert "`postertui pause`, and once nothing runs, the same command" in second.stderr
        listed = subprocess.run(
            [sys.executable, "-m", "postertui", "runs"],
            cwd=place,
            env=cheap_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Warning: gpu:0: not used" in listed.stderr
    finally:
        assert requests.stop_supervisor(place / "runs", patience=60)


@pytest.mark.parametrize("works", [True, False])
def test_supervisor_is_started_under_the_user_s_manager_where_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    for name, value in cheap_environment(CHEAP_NOTES="").items():
        monkeypatch.setenv(name, value)
    program = tmp_path / "systemd-run"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {shlex.quote(str(tmp_path))}/called\n'
        + ('exec "$@"\n' if works else "exit 1\n")
    )
    program.chmod(0o755)
    monkeypatch.setattr(starting, "user_manager_command", lambda: [str(program)])
    [run] = queue(tmp_path / "runs", make_spec(epochs=1))
    assert starting.start_detached(tmp_path / "runs", 1)
    wait_until_over(tmp_path / "runs")
    assert "-m postertui.supervisor" in (tmp_path / "called").read_text()
    assert states(tmp_path / "runs") == {run: "done"}
