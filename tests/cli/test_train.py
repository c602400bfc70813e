"""`postertui train` as people use it: started, left, come back to, stopped."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.runs import layout
from postertui.supervisor import requests
from postertui.system.locks import is_held
from tests.support.poster_data import make_data
from tests.support.supervisor import (
    assert_nothing_left,
    history,
    pace,
    processes_of,
    read,
    recorded_epochs,
    states,
    wait_for,
    wait_until_over,
)
from tests.support.supervisor_fixtures import cheap, folder

__all__ = ["cheap", "folder"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data")


def train(folder: Path, data: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "postertui", "train", "--weights", "random"]
    return [*command, "--runs", str(folder), "--data", str(data), *more]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


TWO = ("--variant", "base", "--variant", "no-reg", "--genre", "Comedy")


def test_trains_what_is_missing_and_then_has_nothing_to_do(folder: Path, data: Path) -> None:
    first = run(train(folder, data, *TWO, "--epochs", "4", "--seeds", "2"))
    assert first.returncode == 0, first.stderr
    assert first.stdout == ""
    assert "4 runs: 4 new" in first.stderr
    assert "Trained 4 runs: 4 done." in first.stderr
    assert set(states(folder).values()) == {"done"}
    before = {p: p.read_bytes() for p in folder.glob("*/events.jsonl")}
    again = run(train(folder, data, *TWO, "--epochs", "4", "--seeds", "2"))
    assert again.returncode == 0
    assert "4 runs: 4 done" in again.stderr
    assert {p: p.read_bytes() for p in folder.glob("*/events.jsonl")} == before
    assert_nothing_left(folder, *states(folder))


def test_a_slip_in_a_name_is_said_before_weights_are_looked_for(folder: Path, data: Path) -> None:
    command = train(folder, data, "--weights", "nowhere.h5", "--variant", "bas")
    result = run(command)
    assert result.returncode == 2
    assert result.stderr == (
        'postertui: study milestone4: no variant is called "bas"; close: base\n'
    )


def test_detach_returns_at_once_and_train_again_attaches(folder: Path, data: Path) -> None:
    pace(folder, 0.05)
    command = train(folder, data, *TWO, "--epochs", "150", "--jobs", "2")
    detached = run([*command, "--detach", "--json"])
    assert detached.returncode == 0, detached.stderr
    names = json.loads(detached.stdout)["missing"]
    assert len(names) == 2
    wait_for(lambda: all(recorded_epochs(folder, name) for name in names))
    assert set(states(folder).values()) == {"running"}
    client = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert client.stderr is not None
    plan = client.stderr.readline()
    pace(folder, 0)
    _, printed = client.communicate(timeout=120)
    assert client.returncode == 0
    assert "2 runs: 2 under way or waiting" in plan
    assert "Trained 2 runs: 2 done." in printed
    assert all(r.attempt == 1 for r in read(folder).values())
    assert_nothing_left(folder, *names)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.usefixtures("heeded_hangups")
def test_closed_terminal_changes_nothing_and_another_one_takes_over(
    folder: Path, data: Path
) -> None:
    pace(folder, 0.05)
    command = train(folder, data, *TWO, "--epochs", "150", "--jobs", "2")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, command)
    while len(states(folder)) < 2 or not all(recorded_epochs(folder, n) for n in states(folder)):
        os.read(terminal, 1000)
    os.close(terminal)
    os.waitpid(pid, 0)
    assert set(states(folder).values()) == {"running"}
    pace(folder, 0)
    second = run(command)
    assert second.returncode == 0, second.stderr
    assert all(r.attempt == 1 for r in read(folder).values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_and_says_what_is_unfinished_and_how_to_go_on(
    folder: Path, data: Path, number: signal.Signals
) -> None:
    pace(folder, 0.05)
    command = train(folder, data, *TWO, "--seeds", "2", "--epochs", "150", "--jobs", "2")
    client = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: sum(recorded_epochs(folder, name) >= 5 for name in states(folder)) == 2)
    client.send_signal(number)
    _, printed = client.communicate(timeout=60)
    assert client.returncode == 130
    assert "Stopping; the epochs in progress are dropped" in printed
    assert "4 of 4 runs unfinished:" in printed
    assert printed.count("interrupted, ") == 2
    assert printed.count("queued, 0 of 150 epochs") == 2
    assert printed.endswith("The same command goes on from there.\n")
    assert not processes_of(folder)
    pace(folder, 0)
    assert run(command).returncode == 0
    calm = folder.parent / "calm"
    assert run(train(calm, data, *TWO, "--seeds", "2", "--epochs", "150")).returncode == 0
    undisturbed = read(calm)
    for name, each in read(folder).items():
        assert history(each) == history(undisturbed[name])


def test_ctrl_c_of_one_that_only_watches_leaves_the_runs_alone(folder: Path, data: Path) -> None:
    pace(folder, 0.05)
    command = train(folder, data, *TWO, "--epochs", "600", "--jobs", "2")
    assert run([*command, "--detach"]).returncode == 0
    client = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert client.stderr is not None
    assert "2 under way" in client.stderr.readline()
    assert "started" in client.stderr.readline()
    client.send_signal(signal.SIGINT)
    _, printed = client.communicate(timeout=60)
    assert client.returncode == 130
    assert "No longer watching; the runs go on." in printed
    assert is_held(folder / layout.SUPERVISOR_LOCK)
    assert requests.stop_supervisor(folder, patience=60)


def test_supervisor_that_dies_is_replaced_while_somebody_watches(folder: Path, data: Path) -> None:
    pace(folder, 0.05)
    command = train(folder, data, *TWO, "--seeds", "2", "--epochs", "150", "--jobs", "1")
    client = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: any(recorded_epochs(folder, name) for name in states(folder)))
    process = requests.status(folder).process
    assert process is not None
    process.signal(signal.SIGKILL)
    pace(folder, 0)
    _, printed = client.communicate(timeout=120)
    assert client.returncode == 0, printed
    assert "Trained 4 runs: 4 done." in printed


def test_failed_run_is_told_and_left_alone_until_asked_for(folder: Path, data: Path) -> None:
    command = train(folder, data, "--variant", "base", "--genre", "raise", "--genre", "Comedy")
    first = run([*command, "--epochs", "3"])
    assert first.returncode == 1
    assert "Trained 2 runs: " in first.stderr
    assert "failed: ValueError: the third epoch is one too many" in first.stderr
    assert "\x1b" not in first.stderr
    second = run([*command, "--epochs", "3"])
    assert second.returncode == 1
    assert "--retry queues them again" in second.stderr
    [name] = [n for n, r in read(folder).items() if r.state == "failed"]
    assert read(folder)[name].attempt == 1
    third = run([*command, "--epochs", "3", "--retry"])
    assert third.returncode == 1
    assert read(folder)[name].attempt == 2


def test_paused_queue_is_followed_until_somebody_resumes(folder: Path, data: Path) -> None:
    requests.pause(folder)
    command = train(folder, data, *TWO, "--epochs", "3")
    client = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert client.stderr is not None
    while "paused; `postertui resume` goes on" not in client.stderr.readline():
        assert client.poll() is None
    requests.resume(folder)
    _, printed = client.communicate(timeout=120)
    assert client.returncode == 0
    assert "Going on." in printed
    wait_until_over(folder)


@pytest.mark.parametrize(
    ("more", "code", "printed"),
    [
        (("--variant", "bse"), 2, "base"),
        (("--genre", "Comdy"), 2, "Comedy"),
        (("--train-cohorts", "0,7"), 2, "no cohort 7"),
        (("--train-cohorts", "2"), 2, "in more than one of"),
        (("--weights", "vgg16=no-such-file.h5"), 2, "no such weights file"),
        (("--epochs", "0"), 2, "--epochs"),
        (("--data", "nowhere"), 2, "no such data folder"),
        (("--dry-run",), 0, "new"),
    ],
)
def test_what_cannot_be_trained_is_one_line_and_leaves_nothing(
    tmp_path: Path, data: Path, more: tuple[str, ...], code: int, printed: str
) -> None:
    runs = tmp_path / "runs"
    result = run([*train(runs, data), *more])
    assert result.returncode == code
    assert printed in result.stderr
    assert "Traceback" not in result.stderr
    assert not runs.exists()


def test_run_that_cannot_be_read_is_not_merely_failed(folder: Path, data: Path) -> None:
    command = train(folder, data, "--variant", "base", "--genre", "Comedy", "--epochs", "3")
    names = json.loads(run([*command, "--dry-run", "--json"]).stdout)["missing"]
    requests.pause(folder)
    assert run([*command, "--detach"]).returncode == 0
    (folder / names[0] / "lock").mkdir()
    requests.resume(folder)
    result = run(command)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(
        f"1 of them cannot be read: {folder / names[0] / 'lock'}: Is a directory"
    )
    assert last.endswith("`postertui doctor` says more")
