"""Started on one terminal, looked at from others: the dashboards are only guests."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest

from postertui.supervisor import requests
from tests.support.poster_data import make_data
from tests.support.supervisor import (
    assert_nothing_left,
    processes_of,
    read,
    recorded_epochs,
    states,
    wait_for,
    wait_until_over,
)
from tests.support.terminal import Terminal, needs_tmux


def terminal(tmp_path: Path, name: str) -> Terminal:
    (tmp_path / name).mkdir()
    return Terminal(tmp_path / name)


def dashboards(folder: Path) -> list[psutil.Process]:
    keyboards = []
    for process in processes_of(folder):
        with contextlib.suppress(psutil.Error):  # gone, or about to be
            words = process.cmdline()
            if "--runs" in words and "train" not in words:
                keyboards.append(process)
    return keyboards


def same_state(screen: str) -> bool:
    return "2 running" in screen and "2 queued" in screen and screen.count("/900") >= 4


@needs_tmux
@pytest.mark.slow
def test_dashboards_come_and_go_while_runs_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEAP_SECONDS", "0.05")
    where = ("--runs", str(folder), "--data", str(make_data(tmp_path / "data")))
    which = ("--variant", "base", "--variant", "no-reg", "--genre", "Comedy", "--genre", "Drama")
    with terminal(tmp_path, "a") as a:
        a.run("postertui", "train", "--weights", "random", "--jobs", "2", "--epochs", "900",
              *which, *where)  # fmt: skip
        wait_for(lambda: sum(recorded_epochs(folder, n) >= 3 for n in states(folder)) == 2)
    with terminal(tmp_path, "b") as b, terminal(tmp_path, "c") as c:
        for each in (b, c):
            each.run("postertui", *where)
        for each in (b, c):
            each.wait_for(same_state)
        screen_text = b.screen()
        b.wait_for(lambda screen: screen != screen_text)  # live from there
        either, _ = dashboards(folder)
        os.kill(either.pid, signal.SIGKILL)
        wait_for(lambda: len(dashboards(folder)) == 1)
        for each in (b, c):
            each.press("q")
        wait_for(lambda: not dashboards(folder))
    epochs = {name: recorded_epochs(folder, name) for name, state in states(folder).items()}
    running = [name for name, count in epochs.items() if count]
    wait_for(lambda: all(recorded_epochs(folder, name) > epochs[name] for name in running))
    requests.cancel(folder, list(epochs))
    wait_until_over(folder)
    assert set(states(folder).values()) == {"cancelled"}
    assert all(read(folder)[name].attempt == 1 for name in running)
    assert_nothing_left(folder)
