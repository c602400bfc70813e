"""The program in a real pseudo-terminal: what reaches the terminal, byte by byte."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.dashboard_driver import PATIENCE
from tests.support.dashboard_runs import MadeRuns

pytestmark = pytest.mark.slow


class Terminal:
    """The far end of the program's terminal: all that was written to it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.written = b""

    def until(self, text: bytes) -> None:
        """Read until `text` has been written since the last call."""
        begin = len(self.written)
        deadline = time.monotonic() + PATIENCE
        while text not in self.written[begin:]:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.written[-2000:]!r}"
            self.read(0.1)

    def read(self, seconds: float) -> None:
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if ready:
            try:
                self.written += os.read(self.fd, 65536)
            except OSError:
                time.sleep(seconds)

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@contextmanager
def running(
    runs: Path, columns: int, rows: int, *options: str
) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """`postertui` on `runs` in a terminal of that size; ended when the test is."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    program = subprocess.Popen(
        [sys.executable, "-m", "postertui", "--runs", str(runs), *options],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )  # fmt: skip
    os.close(theirs)
    terminal = Terminal(ours)
    try:
        yield terminal, program
    finally:
        program.kill()
        program.wait()
        terminal.close()


HOSTILE = "evil\x1b]0;stolen title\x07\x1b[31mred\x1b[2J\u202e[bold]x[/bold]\x9b5n"


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 48)])
def test_no_sequence_of_a_name_or_a_log_reaches_the_terminal(
    tmp_path: Path, columns: int, rows: int
) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add(
        HOSTILE, epochs=3, state="failed", reason=HOSTILE,
        log=f"first\n{HOSTILE}\n{'y' * 10_000}\nValueError: {HOSTILE}\n",
    )  # fmt: skip
    with running(made_runs.folder, columns, rows) as (terminal, program):
        terminal.until(b"3/10")
        terminal.press(b"\r")
        terminal.until(b"ValueError")
        terminal.press(b"\x1b")
        terminal.until(b"Filter")
        terminal.press(b"q")
        assert wait(terminal, program) == 0
    sent = terminal.written
    assert b"stolen" in sent
    for sequence in (b"\x1b]0;stolen", b"\x1b[31mred", "\x9b".encode(), "\u202e".encode()):
        assert sequence not in sent
    assert b"[bold]" in sent
    # The terminal is as it was before.
    assert b"\x1b[?1049l" in sent
    assert b"\x1b[?25h" in sent


def test_a_wrong_option_is_one_line_and_leaves_the_terminal_alone(tmp_path: Path) -> None:
    for options, says in (
        (("--theme", "pink"), b"no theme `pink`"),
        (("--filter", "nope:1"), b"unknown field `nope`"),
    ):
        with running(tmp_path, 80, 24, *options) as (terminal, program):
            assert wait(terminal, program) == 2
        assert says in terminal.written
        assert b"Traceback" not in terminal.written
        assert b"\x1b[?1049h" not in terminal.written


def test_ctrl_c_and_a_termination_end_it_cleanly(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add(epochs=2, state="done")
    with running(made_runs.folder, 80, 24) as (terminal, program):
        terminal.until(b"2/10")
        terminal.press(b"\x03")
        assert wait(terminal, program) == 0
    with running(made_runs.folder, 80, 24) as (terminal, program):
        terminal.until(b"2/10")
        program.send_signal(signal.SIGTERM)
        assert wait(terminal, program) in (0, 143, -signal.SIGTERM)


@pytest.mark.usefixtures("heeded_hangups")
def test_it_ends_with_its_terminal_without_a_signal(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add(epochs=2, state="done")
    # Not its controlling terminal, so that nothing is sent: as under `make demo` in a lost session.
    with running(made_runs.folder, 80, 24) as (terminal, program):
        terminal.until(b"2/10")
        terminal.close()
        assert program.wait(PATIENCE) == -signal.SIGHUP


def wait(terminal: Terminal, program: subprocess.Popen[bytes]) -> int:
    """The program's exit code, its output read to the end."""
    deadline = time.monotonic() + PATIENCE
    while program.poll() is None:
        assert time.monotonic() < deadline, "it did not end"
        terminal.read(0.05)
    terminal.read(0.05)
    return program.returncode
