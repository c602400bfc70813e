"""SSH drops, SIGHUP, a terminal that closes, a client that is killed: the runs go on."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.supervisor import (
    ROOT,
    assert_as_if_undisturbed,
    make_spec,
    pace,
    queue,
    read,
    supervisor_of,
    wait_until_over,
    wait_until_trained,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.usefixtures("heeded_hangups"),
]

#: A client that has a supervisor started and then waits, as `train` and the dashboard do.
CLIENT = """
import sys, time
from pathlib import Path
from postertui.supervisor import requests
requests.ensure_supervisor(Path(sys.argv[1]), jobs=2)
print("started", flush=True)
time.sleep(3600)
"""


def client_on_a_terminal(folder: Path) -> tuple[int, int]:
    """A client that leads its own session on its own terminal: its pid, and the other end."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", CLIENT, str(folder)])
    output = b""
    while b"started" not in output:
        output += os.read(terminal, 1000)
    return pid, terminal


@pytest.mark.parametrize("fault", ["close the terminal", "SIGHUP", "kill -9"])
def test_runs_go_on_without_the_client(folder: Path, tmp_path: Path, fault: str) -> None:
    pace(folder, 0.05)
    specs = [make_spec(genre, epochs=150) for genre in ("Comedy", "Drama", "Horror")]
    names = queue(folder, *specs)
    pid, terminal = client_on_a_terminal(folder)
    wait_until_trained(folder, names[0])
    if fault == "SIGHUP":
        os.killpg(pid, signal.SIGHUP)
    elif fault == "kill -9":
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)  # the kernel hangs up on every process that still has this terminal
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == (signal.SIGKILL if fault == "kill -9" else signal.SIGHUP)
    assert read(folder)[names[0]].state == "running"
    pace(folder, 0)
    wait_until_over(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)
    assert all(run.attempt == 1 for run in read(folder).values())


def test_neither_supervisor_nor_job_has_a_terminal(folder: Path) -> None:
    pace(folder, 0.05)
    [name] = queue(folder, make_spec(epochs=100))
    pid, terminal = client_on_a_terminal(folder)
    try:
        wait_until_trained(folder, name)
        supervisor = supervisor_of(folder).pid
        children = subprocess.run(
            ["ps", "-o", "tty=", "-p", str(supervisor), "--ppid", str(supervisor)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert children.stdout.split() == ["?", "?"]
        name_of_terminal = Path(f"/proc/{pid}/fd/0").readlink()
        for process in (supervisor, *_children_of(supervisor)):
            opened = {f.readlink() for f in Path(f"/proc/{process}/fd").iterdir()}
            assert name_of_terminal not in opened
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)


def _children_of(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
