"""A person at the dashboard, in a real terminal, with real jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postertui.data.posters import build_dataset
from postertui.data.synthetic import make_posters
from postertui.supervisor import requests
from tests.support.supervisor import cheap_environment, make_spec, queue, states, wait_for
from tests.support.terminal import Terminal, needs_tmux

pytestmark = [pytest.mark.slow, needs_tmux]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the terminal starts: a data folder, and whatever works on `runs` ended afterwards."""
    posters = make_posters(tmp_path / "posters", 12)
    build_dataset(posters.posters, posters.labels, tmp_path / "data")
    yield tmp_path
    if (tmp_path / "runs").exists():
        assert requests.stop_supervisor(tmp_path / "runs", patience=60)


def cheap_jobs(**more: str) -> dict[str, str]:
    """What makes jobs cheap; everything else is the terminal's own."""
    changed = cheap_environment(**more)
    return {
        k: v for k, v in changed.items() if k in more or k in ("POSTERTUI_TRAINER", "PYTHONPATH")
    }


def test_start_watch_cancel_undo_and_draw(folder: Path) -> None:
    environment = cheap_jobs(CHEAP_SECONDS="0.25")
    with Terminal(folder, width=80, height=24, environment=environment) as terminal:
        terminal.run("postertui", "--study", "demo")
        terminal.wait_for("The data is ready")
        terminal.press("n")
        terminal.wait_for("3 to start of 3 runs")
        for _ in range(5):
            terminal.press("BTab")
        terminal.press("C-u")
        terminal.wait_for("imagenet, random or a file")
        terminal.type("random")
        terminal.wait_for("weights random")
        terminal.wait_for(lambda screen: "downloads" not in screen and "3 to start" in screen)
        terminal.press("C-s")
        terminal.wait_for("running")
        terminal.wait_for(lambda screen: " epochs/s" in screen or " epochs/min" in screen)
        running = next(iter(terminal.wait_for("▸").splitlines()))
        assert "running" in running

        terminal.press("x")
        terminal.wait_for("Cancel")
        terminal.press("y")
        terminal.wait_for("1 cancelled")
        terminal.press("u")
        terminal.wait_for("took back the cancel")
        terminal.wait_for("3 done")
        assert set(states(folder / "runs").values()) == {"done"}
        terminal.wait_for("demo has ended: 3 done")

        terminal.resize(160, 48)
        terminal.press("d")
        terminal.wait_for("no supervisor")
        terminal.press("F")
        terminal.wait_for("Figure drawn")
        [figure] = (folder / "reports").glob("*-f.png")
        assert figure.stat().st_size > 10_000
        terminal.press("q")
        terminal.wait_for(lambda screen: screen.rstrip().endswith("ready:"))


def test_a_run_that_fails_says_so_and_its_log_why(folder: Path) -> None:
    runs = folder / "runs"
    environment = cheap_jobs()
    queue(runs, make_spec("raise"), make_spec("Comedy", seed=1, epochs=3))
    with Terminal(folder, width=160, height=48, environment=environment) as terminal:
        terminal.run("postertui")
        terminal.wait_for("no supervisor is at work")
        terminal.press("r")
        terminal.wait_for("raise · base failed")
        terminal.wait_for("1 failed")
        wait_for(lambda: sorted(states(runs).values()) == ["done", "failed"], "both ended")
        terminal.press("End", "Enter")
        # The main screen says why a run failed, too; the log is on the run's own screen alone.
        terminal.wait_for("from epoch 1 of 5")
        terminal.wait_for("the third epoch is one too many")
        terminal.press("Tab")
        terminal.wait_for("learning_rate")
        terminal.press("d")
        terminal.wait_for("compare with")
        terminal.press("Enter")
        terminal.wait_for(lambda screen: "Comedy · base" in screen and "raise · base" in screen)
        # The connection drops; nothing that matters was in the terminal.
    assert sorted(states(runs).values()) == ["done", "failed"]
