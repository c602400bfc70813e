"""A flock tells who works on a run, and ends with its process however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.runs.lifecycle import RunLifecycle
from postertui.runs.lock import RunLock, is_locked
from postertui.system.locks import FileLock, is_held
from postertui.system.processes import Process, memory_of
from tests.support.supervisor import wait_for

HOLDER = """
import sys, time
from pathlib import Path
from postertui.system.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.acquire()
print("held", flush=True)
time.sleep(3600)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.stdout.close()
    return process


def test_lock_is_free_as_soon_as_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    process = holder(path)
    assert is_held(path)
    assert not FileLock(path).acquire(patience=0)
    process.kill()
    process.wait()
    assert not is_held(path)
    with FileLock(path) as lock:
        assert lock.acquire()


def test_probing_does_not_take_the_lock_and_makes_no_file(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with RunLock(tmp_path) as lock:
        assert lock.acquire()
        for _ in range(3):
            assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_helper_does_not_keep_the_lock(tmp_path: Path) -> None:
    """It would make a dead job look alive."""
    lock = RunLock(tmp_path)
    assert lock.acquire()
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        lock.release()
        wait_for(lambda: not is_locked(tmp_path), "the child to let go")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_process_is_known_by_more_than_its_pid() -> None:
    me = Process.current()
    assert me.is_alive()
    assert Process.from_event({"pid": me.pid, "started": me.started, "boot": me.boot,
                               "host": me.host, "event": "start"}) == me  # fmt: skip
    assert not Process(me.pid, me.started + 1, me.boot, me.host).is_alive()
    assert not Process(me.pid, me.started, "another boot", me.host).is_alive()
    assert Process.from_event({"pid": "x"}) is None


def test_signal_reaches_only_the_very_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19])
    me = Process.current()
    other = Process(child.pid, started + 1, me.boot, me.host)
    assert not other.signal(signal.SIGKILL)
    assert child.poll() is None
    assert Process(child.pid, started, me.boot, me.host).signal(signal.SIGKILL)
    assert child.wait(60) == -signal.SIGKILL
    assert child.stdin is not None
    child.stdin.close()
    assert not Process(child.pid, started, me.boot, me.host).signal(signal.SIGKILL)
    assert not Process(10**9, 1, me.boot, me.host).signal(signal.SIGKILL)
    assert memory_of(10**9) is None


@pytest.mark.parametrize(
    ("milestone", "status", "locked", "state"),
    [
        (None, None, False, "queued"),
        (None, None, True, "queued"),
        ("requeue", None, False, "queued"),
        ("start", None, True, "running"),
        ("start", None, False, "interrupted"),
        ("end", "done", False, "done"),
        ("end", "done", True, "done"),
        ("end", "cancelled", False, "cancelled"),
        ("end", "interrupted", False, "interrupted"),
        ("end", "of the future", False, "failed"),
    ],
)
def test_state_follows_from_events_and_lock(
    milestone: str | None, status: str | None, locked: bool, state: str
) -> None:
    events = [{"event": milestone, "attempt": 1, "status": status}] if milestone else []
    assert RunLifecycle.of(events).state(locked=locked) == state
