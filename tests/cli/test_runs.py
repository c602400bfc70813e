"""`postertui runs`, `cancel`, `retry`, `pause`, `resume`, `priority` and `log`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from postertui.cli import cli
from postertui.runs.lock import RunLock
from postertui.supervisor import requests
from postertui.system.errors import UserError
from tests.support.supervisor import (
    make_spec,
    queue,
    states,
    train_all,
    wait_until_closed,
    wait_until_over,
    wait_until_trained,
)
from tests.support.supervisor_fixtures import cheap, folder

__all__ = ["cheap", "folder"]


def call(*args: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `postertui` with `args`."""
    result = CliRunner().invoke(cli, list(args), standalone_mode=False)
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, result.stdout, str(result.exception)
    if result.exception is not None:
        raise result.exception
    return result.return_value or 0, result.stdout, result.stderr


@pytest.fixture
def two(folder: Path) -> tuple[str, str]:
    """A queued run of Comedy and one of Drama."""
    comedy, drama = queue(folder, make_spec("Comedy"), make_spec("Drama"))
    return comedy, drama


def test_listing_shows_state_epochs_f_and_reason(folder: Path, two: tuple[str, str]) -> None:
    [failed] = queue(folder, make_spec("raise", variant="no-reg"))
    train_all(folder)
    code, out, err = call("runs", "--runs", str(folder))
    assert code == 0
    head, *lines = out.splitlines()
    assert head.split() == ["STATE", "EPOCH", "TEST", "F", "AP", "RUN", "REASON"]
    rows = {line.split()[4]: line.split() for line in lines}
    assert set(rows) == {*two, failed}
    assert rows[two[0]][:2] == ["done", "5/5"]
    assert 0 < float(rows[two[0]][2]) < 1
    assert rows[failed][:2] == ["failed", "2/5"]
    assert "the third epoch is one too many" in " ".join(rows[failed])
    assert err.strip() == "3 runs: 2 done, 1 failed"

    code, out, err = call("runs", "--runs", str(folder), "genre:comedy", "or", "state:failed")
    assert {line.split()[4] for line in out.splitlines()[1:]} == {two[0], failed}

    code, out, _ = call("runs", "--runs", str(folder), "--json", failed)
    [record] = json.loads(out)
    assert (record["run"], record["state"], record["name"]) == (failed, "failed", "no-reg")
    assert record["damage"] is None


def test_damaged_run_is_listed_with_its_file_and_line(folder: Path, two: tuple[str, str]) -> None:
    (folder / two[0] / "events.jsonl").write_text("nonsense\n")
    (folder / "Not A Run").mkdir()
    code, out, err = call("runs", "--runs", str(folder))
    assert code == 0
    assert f"{two[0]}/events.jsonl:1: " in out
    assert "'Not A Run' is not a run's name" in out
    assert err.splitlines()[0] == "3 runs: 2 damaged, 1 queued"
    code, _, err = call("cancel", "--all", "--runs", str(folder))
    assert code == 1
    assert "2 damaged" in err
    assert "1 cancelled" in err


@pytest.mark.parametrize("command", ["runs", "cancel", "retry", "pause", "log"])
def test_nothing_matching_is_exit_code_3(folder: Path, two: tuple[str, str], command: str) -> None:
    code, out, err = call(command, "genre:western", "--runs", str(folder))
    assert (code, out) == (3, "")
    assert "no run matches `genre:western`" in err
    assert set(states(folder)) == set(two)


@pytest.mark.usefixtures("two")
def test_a_filter_that_cannot_be_read_is_exit_code_2(folder: Path) -> None:
    code, _, err = call("cancel", "genre:(", "--runs", str(folder))
    assert code == 2
    assert err.startswith("filter: ")
    assert set(states(folder).values()) == {"queued"}


@pytest.mark.parametrize("command", [["cancel"], ["retry"], ["priority", "3"]])
def test_requests_want_to_know_which_runs(tmp_path: Path, command: list[str]) -> None:
    command = [sys.executable, "-m", "postertui", *command, "--runs", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "--all" in result.stderr


def test_one_run_a_filter_and_all_are_cancelled_and_retried(
    folder: Path, two: tuple[str, str]
) -> None:
    where = ("--runs", str(folder))
    assert call("cancel", two[0], *where)[0] == 0
    assert states(folder) == {two[0]: "cancelled", two[1]: "queued"}
    _, out, err = call("cancel", "genre:drama", "--json", *where)
    assert json.loads(out) == {two[1]: "done"}
    assert err.strip() == "1 run: 1 cancelled"
    assert call("cancel", "--all", *where) == (0, "", "2 runs: 2 unchanged\n")
    assert call("retry", "--all", "--no-start", *where)[2] == "2 runs: 2 queued\n"
    assert set(states(folder).values()) == {"queued"}
    call("cancel", "--all", *where)
    assert call("retry", two[0], *where)[0] == 0
    wait_until_over(folder)
    assert states(folder) == {two[0]: "done", two[1]: "cancelled"}


def test_priority_takes_negative_levels(folder: Path, two: tuple[str, str]) -> None:
    where = ("--runs", str(folder))
    assert call("priority", "7", "genre:comedy", *where)[2] == "1 run: 1 now at priority 7\n"
    assert call("priority", "-3", two[1], *where)[0] == 0
    assert [requests.priority(folder, name) for name in two] == [7, -3]
    assert call("priority", "0", "--all", *where)[0] == 0
    assert not list(folder.glob("*/priority"))


@pytest.mark.usefixtures("two")
def test_pause_and_resume_of_the_queue(folder: Path) -> None:
    where = ("--runs", str(folder))
    assert call("pause", *where)[0] == 0
    train_all(folder)
    assert set(states(folder).values()) == {"queued"}
    assert "Waiting: paused; `postertui resume` goes on" in call("runs", *where)[2]
    assert call("resume", *where)[0] == 0
    wait_until_over(folder)
    assert set(states(folder).values()) == {"done"}


def test_pause_and_resume_of_some_runs(folder: Path, two: tuple[str, str]) -> None:
    where = ("--runs", str(folder))
    assert call("pause", "genre:comedy", *where)[2] == "1 run: 1 held\n"
    train_all(folder)
    assert states(folder) == {two[0]: "queued", two[1]: "done"}
    assert call("runs", *where)[1].splitlines()[1].split()[0] == "held"
    assert call("resume", two[0], *where)[0] == 0
    wait_until_over(folder)
    assert states(folder)[two[0]] == "done"


def test_resume_where_there_is_nothing_makes_nothing(tmp_path: Path) -> None:
    code, _, err = call("resume", "--runs", str(tmp_path / "runs"))
    assert code == 3
    assert "no such folder" in err
    assert not (tmp_path / "runs").exists()


def test_log_is_harmless_to_the_terminal(folder: Path, two: tuple[str, str]) -> None:
    where = ("--runs", str(folder))
    assert call("log", two[0], *where)[2] == f"{two[0]}: nothing was printed yet\n"
    (folder / two[0] / "log.txt").write_bytes(
        b"red \x1b[31malert\x1b[0m\x1b]0;title\x07 \x9b2J\xff\r\nbell\x07\nlast\n"
    )
    code, out, _ = call("log", two[0], *where)
    assert code == 0
    assert not any(c in out for c in "\x1b\x07\x9b\r")
    assert out.splitlines()[0].startswith("red alert ")
    assert out.splitlines()[-1] == "last"
    assert call("log", "-n", "1", two[0], *where)[1] == "last\n"
    (folder / two[1] / "log.txt").write_text("other\n")
    both = call("log", "genre:comedy", "or", "genre:drama", "-n", "1", *where)[1].splitlines()
    assert both == [f"==> {two[0]} <==", "last", "", f"==> {two[1]} <==", "other"]


def test_log_is_followed_until_the_runs_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEAP_SECONDS", "0.1")
    [name] = queue(folder, make_spec("raise"))
    command = [sys.executable, "-m", "postertui", "log", "-f", name, "--runs", str(folder)]
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, name)
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    wait_until_closed(folder, name)
    assert result.returncode == 0
    assert "ValueError: the third epoch" in result.stdout
    wait_until_over(folder)


def test_run_that_is_held_is_cancelled_soon(folder: Path, two: tuple[str, str]) -> None:
    with RunLock(folder / two[0]) as lock:
        assert lock.acquire()
        code, _, err = call("cancel", two[0], "--runs", str(folder))
    assert (code, err) == (0, "1 run: 1 will follow soon\n")
