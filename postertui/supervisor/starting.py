"""Starting a supervisor: detached, under the user's systemd manager, or as a child that is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from postertui.system.errors import UserError
from postertui.system.processes import child_environment
from postertui.system.sessions import user_manager_command

#: The exit code of a supervisor that finds another one at work.
HELD = 3

#: The supervisors that this process keeps; those that have ended are collected with the next start.
_kept: list[subprocess.Popen[bytes]] = []


def start_detached(folder: Path, jobs: int | None) -> bool:
    """Start a supervisor that outlives this process; False where another one is at work.

    Raises `UserError` where it cannot be started, and `OSError`.
    """
    command = _command(folder, jobs)
    before = user_manager_command()
    result = _run([*before, *command])
    if before and result.returncode not in (0, HELD):
        # The user's manager may refuse; a supervisor that ends at logout is better than none.
        result = _run(command)
    if result.returncode == 0:
        return True
    if result.returncode == HELD:
        return False
    raise _failure(folder, result.stderr)


def start_kept(folder: Path, jobs: int | None) -> bool:
    """Start a supervisor as a child of this process, which ends with it; see `start_detached`."""
    _kept[:] = [process for process in _kept if process.poll() is None]
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*_command(folder, jobs), "--foreground", "--report-fd", str(writing)],
        stdin=subprocess.DEVNULL,
        env=child_environment(),
        pass_fds=[writing],
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read()
    if answer == b"ready":
        _kept.append(process)
        return True
    if process.wait() == HELD:
        return False
    raise _failure(folder, answer)


def _command(folder: Path, jobs: int | None) -> list[str]:
    command = [sys.executable, "-P", "-m", "postertui.supervisor", os.fspath(folder.absolute())]
    return command if jobs is None else [*command, "--jobs", str(jobs)]


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=child_environment(),
        start_new_session=True,
        check=False,
    )


def _failure(folder: Path, printed: bytes) -> UserError:
    lines = printed.decode(errors="replace").strip().splitlines() or ["no reason given"]
    return UserError(f"{folder}: the supervisor could not start: {lines[-1]}", exit_code=1)
