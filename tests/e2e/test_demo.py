"""The whole way on made-up posters, as a stranger goes it: real jobs, a real terminal, a figure."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from postertui.runs.store import Store
from tests.support.terminal import Terminal, needs_tmux

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        subprocess.run(
            [sys.executable, "-c", "import importlib.util as u, sys; "
             "sys.exit(u.find_spec('tensorflow') is None)"], check=False
        ).returncode != 0,
        reason="tensorflow is not installed",
    ),
]  # fmt: skip

PROGRAM = [sys.executable, "-m", "postertui"]


def run_program(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "NO_COLOR": "1"}
    environment.pop("TERM", None)
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def shows(*words: str) -> Callable[[str], bool]:
    """Whether all of `words` are on a screen, which is painted piece by piece."""
    return lambda screen: all(word in screen for word in words)


def test_the_demo_without_a_terminal(tmp_path: Path) -> None:
    first = run_program(tmp_path, "demo")
    assert first.returncode == 0, first.stderr
    figure = tmp_path / first.stdout.splitlines()[0].split()[0]
    assert figure == tmp_path / "demo/reports/regularizer.png"
    with Image.open(figure) as image:
        assert image.width > 500
    assert figure.with_suffix(".csv").is_file()
    assert "\x1b" not in first.stdout + first.stderr
    assert re.search(r"VGG16 with (random|ImageNet) weights", first.stderr)

    command = re.search(r"`postertui (compare --runs \S+)`", first.stderr)
    assert command is not None
    assert "no-reg" in run_program(tmp_path, *command[1].split()).stdout

    store = Store(tmp_path / "demo/runs")
    store.refresh()
    assert len(store.runs) == 6
    for run in store.runs.values():
        assert run.state == "done"
        assert run.spec is not None
        assert run.spec.test_base_rate is not None
        always_yes = 2 * run.spec.test_base_rate / (1 + run.spec.test_base_rate)
        assert always_yes < run.newest("test_fscore_soft") < 0.95

    again = run_program(tmp_path, "demo", "--headless")
    assert again.returncode == 0, again.stderr
    assert "unchanged" in again.stdout
    assert "started" not in again.stderr
    assert all(run.attempt == 1 for run in store.runs.values())

    listed = run_program(tmp_path, "runs", "--runs", "demo/runs", "--json", "variant:no-reg")
    assert [r["state"] for r in json.loads(listed.stdout)] == ["done"] * 3


@needs_tmux
def test_the_demo_in_a_terminal(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.run("postertui", "demo")
        terminal.wait_for(shows("weights", "Comedy"))
        terminal.wait_for("6 done")
        # In one piece, as a slow link delivers what was typed.
        terminal.type("/variant:no-reg")
        terminal.wait_for(shows("3 of 6 runs", "no-reg"))
        terminal.press("Escape")
        terminal.wait_for("q Quit")
        terminal.press("q")
        terminal.wait_for("demo/reports/regularizer.png")

        terminal.run("postertui", "--runs", "demo/runs", "--data", "demo/data")
        terminal.wait_for(shows("6 done", "Comedy", "Drama", "Horror", "20/20"))
        terminal.press("q")
        terminal.wait_for(lambda screen: screen.rstrip().endswith("ready:"))
        terminal.run(
            "postertui", "report", "--compare", "Regularizer", "--runs", "demo/runs", "--out", "out"
        )
        terminal.wait_for("out/regularizer.png")
    assert (tmp_path / "out/regularizer.png").stat().st_size > 10_000
