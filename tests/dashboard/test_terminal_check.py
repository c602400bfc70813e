"""What the terminal can show; redirected streams; leaving for the shell and coming back."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from postertui.dashboard.terminal.check import declared_codeset
from tests.support.dashboard_runs import MadeRuns
from tests.support.supervisor import ROOT
from tests.support.terminal import Terminal, needs_tmux


@pytest.mark.parametrize(
    ("environment", "codeset"),
    [
        ({}, ""),
        ({"LANG": "C"}, ""),
        ({"LANG": "POSIX"}, ""),
        ({"LANG": "C.UTF-8"}, "utf-8"),
        ({"LANG": "de_DE.utf8@euro"}, "utf8"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.ISO-8859-1"}, "iso-8859-1"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": ""}, "utf-8"),
    ],
)
def test_the_locale_names_the_encoding(environment: dict[str, str], codeset: str) -> None:
    assert declared_codeset(environment) == codeset


CHECK = """
import os
from postertui.dashboard.terminal.check import shows_utf8
os.write(2, b"yes" if shows_utf8({}) else b"no")
"""


@pytest.mark.parametrize(
    ("answer", "shown"), [(b"\x1b[1;2R", "yes"), (b"\x1b[1;3R", "no"), (b"", "no")]
)
def test_a_terminal_whose_locale_says_nothing_is_asked(answer: bytes, shown: str) -> None:
    ours, theirs = pty.openpty()

    def be_a_terminal() -> None:
        received = b""
        while b"\x1b[6n" not in received:
            received += os.read(ours, 64)
        os.write(ours, answer)

    terminal = threading.Thread(target=be_a_terminal, daemon=True)
    terminal.start()
    result = subprocess.run(
        [sys.executable, "-c", CHECK],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert result.stderr.decode() == shown
    os.close(theirs)
    os.close(ours)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Comedy", epochs=10, state="done")
    yield made_runs.folder
    made_runs.close()


def is_drawn(screen: str) -> bool:
    return all(text in screen for text in ("10/10", "newest"))


def lines_of_the_run(screen: str) -> list[str]:
    return [line for line in screen.splitlines() if "Comedy" in line]


@pytest.mark.slow
@needs_tmux
def test_standard_error_in_a_file_leaves_the_screen_on_the_terminal(
    runs: Path, tmp_path: Path
) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.type(f"{shlex.quote(sys.executable)} -m postertui --runs {runs.name} 2>errors")
        terminal.press("Enter")
        terminal.wait_for(is_drawn)
        terminal.press("q")
        terminal.wait_for(lambda screen: screen.rstrip().endswith("ready:"))
    assert (tmp_path / "errors").read_text() == ""


@pytest.mark.slow
@needs_tmux
def test_suspend_and_foreground_bring_the_whole_screen_back(runs: Path, tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.type(f"{shlex.quote(sys.executable)} -m postertui --runs {runs.name}")
        terminal.press("Enter")
        before = terminal.wait_for(is_drawn)
        terminal.press("C-z")
        terminal.wait_for("Stopped")
        terminal.run("echo", "in", "the", "shell")
        terminal.wait_for("in the shell")
        terminal.run("fg")
        # All of it comes back, but for what tells the time.
        after = terminal.wait_for(
            lambda screen: lines_of_the_run(screen) == lines_of_the_run(before)
        )
        assert "in the shell" not in after
        terminal.press("q")
        terminal.wait_for(lambda screen: screen.rstrip().endswith("ready:"))


@pytest.mark.slow
@needs_tmux
def test_a_terminal_of_another_encoding_gets_ascii(runs: Path, tmp_path: Path) -> None:
    environment = {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}
    # Without UTF-8, Python reads no .pth file that names a folder in other letters than ASCII.
    starts = subprocess.run([sys.executable, "-c", ""], env=os.environ | environment, check=False)
    if starts.returncode:
        pytest.skip("Python itself does not start in this locale from where the checkout lies")
    with Terminal(tmp_path, environment=environment) as terminal:
        terminal.type(f"{shlex.quote(sys.executable)} -m postertui --runs {runs.name}")
        terminal.press("Enter")
        screen = terminal.wait_for(is_drawn)
        drawn = "".join(screen.splitlines()[1:])
        assert not re.search(r"[^\x00-\x7f]", drawn), drawn
        terminal.press("q")


@pytest.mark.slow
@needs_tmux
def test_a_variable_of_python_s_streams_does_not_change_what_is_drawn(
    runs: Path, tmp_path: Path
) -> None:
    with Terminal(tmp_path, environment={"PYTHONIOENCODING": "latin-1"}) as terminal:
        terminal.type(f"{shlex.quote(sys.executable)} -m postertui --runs {runs.name}")
        terminal.press("Enter")
        screen = terminal.wait_for(is_drawn)
        assert "\\u" not in screen
        assert re.search(r"[\u2500-\u28ff]", screen), screen
        terminal.press("q")
