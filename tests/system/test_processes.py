"""Signals go to the very process that is meant, and to none that a runs folder merely names."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.supervisor.stall import ActiveRun
from postertui.system.processes import Process

_HOLD_LOCK = """
import sys
from pathlib import Path
from postertui.system.locks import FileLock
from postertui.system.processes import Process
import msgspec

lock = FileLock(Path(sys.argv[1]))
assert lock.acquire()
print(msgspec.json.encode(Process.current()).decode(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "comedy--base--s0--1"
    folder.mkdir()
    (folder / layout.LOCK).touch()
    return folder


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock, but not the run's."""
    yield from _process_that_holds(tmp_path / "another lock")


@pytest.fixture
def job(run_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the run's lock."""
    yield from _process_that_holds(run_folder / layout.LOCK)


def test_process_that_a_run_names_is_not_signalled_without_the_runs_lock(
    run_folder: Path, bystander: subprocess.Popen[str]
) -> None:
    process = _name_in_start(run_folder, bystander)
    assert process.is_alive()
    ActiveRun.observe(run_folder).signal(signal.SIGKILL)
    assert not process.signal(signal.SIGKILL, holding=run_folder / layout.LOCK)
    assert bystander.communicate()[0] == ""
    assert bystander.returncode == 0


def test_job_that_holds_the_runs_lock_is_signalled(
    run_folder: Path, job: subprocess.Popen[str]
) -> None:
    _name_in_start(run_folder, job)
    ActiveRun.observe(run_folder).signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL


def _process_that_holds(lock: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _HOLD_LOCK, str(lock)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def _name_in_start(run_folder: Path, process: subprocess.Popen[str]) -> Process:
    """Write the start of an attempt that names `process`, once that holds its lock."""
    assert process.stdout is not None
    named = msgspec.json.decode(process.stdout.readline(), type=Process)
    with EventWriter(run_folder / layout.EVENTS) as writer:
        writer.attempt = 1
        writer.append("start", from_epoch=1, **msgspec.to_builtins(named))
    return named
