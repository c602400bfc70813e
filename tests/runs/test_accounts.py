"""Runs of another account: unreadable is not damaged, and a group can share a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.runs.store import Store
from postertui.study.files import load_study
from postertui.supervisor import requests
from postertui.system.errors import UserError
from postertui.system.sharing import is_shared, share_with_group
from tests.support.other_accounts import as_account, run_reachable
from tests.support.poster_data import make_data
from tests.support.supervisor import CHEAP, make_spec, queue

ALICE, BOB, LAB = 54321, 54322, 54300


def run_as(
    user: int, place: Path, *args: str, group: int = LAB, umask: str = "022"
) -> subprocess.CompletedProcess[str]:
    """`postertui` in `place`, run by the account `user`."""
    program = [sys.executable, "-P", "-m", "postertui", *args]
    shell = ["sh", "-c", f'umask {umask}; exec "$@"', "sh", *as_account(user, group), *program]
    return run_reachable(
        place,
        *("env", "-C", str(place), *shell),
        POSTERTUI_TRAINER=CHEAP,
        HOME=str(place / "home"),
        CHEAP_NOTES="",
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that every account may work in, with data and a study that is shared."""
    if os.geteuid() != 0:
        pytest.skip("becoming another account needs root")
    path = tmp_path / "place"
    path.mkdir()
    data = make_data(path / "data")
    (path / "home").mkdir()
    (path / "lab.toml").write_text('name = "lab"\nruns_access = "group"\n[base]\nepochs = 3\n')
    for each in (path, path / "home", data, *data.iterdir(), path / "lab.toml"):
        each.chmod(0o777)
    return path


def test_unreadable_run_is_not_damaged_and_the_others_go_on(place: Path) -> None:
    hidden, other = queue(place / "runs", make_spec("Comedy"), make_spec("Drama"))
    for each in (place / "runs", *(place / "runs").rglob("*")):
        os.chown(each, ALICE, LAB)
    (place / "runs").chmod(0o777)
    (place / "runs" / hidden).chmod(0o700)
    (place / "runs" / other).chmod(0o777)
    (place / "runs" / other / "run.json").chmod(0o666)
    listed = run_as(BOB, place, "runs")
    [line] = [line for line in listed.stdout.splitlines() if line.startswith("unreadable")]
    assert hidden in line
    why = f"runs/{hidden} belongs to 54321:54300 (mode 700)"
    mend = f"`sudo chown -R 54322 runs/{hidden}` makes it yours"
    assert f"{why}; {mend}" in listed.stdout
    examined = run_as(BOB, place, "doctor", "--repair")
    assert why in examined.stdout
    assert f"to mend: {mend}" in examined.stdout
    assert "1 of 2 runs can be read" in examined.stdout
    assert (place / "runs" / hidden).exists()
    assert not (place / "runs" / ".damaged").exists()
    # What reads leaves it out for what it is.
    compared = run_as(BOB, place, "compare")
    assert "left out 1 run: 1 another account's" in compared.stderr
    assert "damaged" not in compared.stderr
    cancelled = run_as(BOB, place, "cancel", "--all")
    assert "1 unreadable (`postertui doctor`)" in cancelled.stderr
    assert "1 cancelled" in cancelled.stderr
    assert cancelled.returncode == 1


def test_a_group_shares_the_folder_of_a_study_that_says_so(place: Path) -> None:
    train = ("train", "--study", "lab.toml", "--weights", "random", "--jobs", "1")
    first = run_as(ALICE, place, *train, "--genre", "Comedy")
    assert first.returncode == 0, first.stderr
    second = run_as(BOB, place, *train, "--genre", "Drama")
    assert second.returncode == 0, second.stderr
    runs = place / "runs"
    assert is_shared(runs)
    store = Store(runs, cache=False)
    store.refresh()
    assert {run.state for run in store.runs.values()} == {"done"}
    owners = {(runs / name).stat().st_uid for name in store.runs}
    assert owners == {ALICE, BOB}
    for path in runs.rglob("*"):
        status = path.stat()
        assert status.st_gid == LAB, path
        assert status.st_mode & 0o007 == 0, path
        assert status.st_mode & 0o060 == 0o060, path
    # Each may use what the other has made, and no other account may even look.
    again = run_as(BOB, place, "priority", "3", "genre:comedy")
    assert again.returncode == 0, again.stderr
    assert "2 runs: 2 done" in run_as(ALICE, place, "runs").stderr
    outside = run_as(BOB, place, "runs", group=BOB)
    assert outside.returncode in (1, 2)
    assert "shared with the group 54300" in run_as(ALICE, place, "doctor").stdout


def test_folder_of_another_account_says_the_command_that_mends_it(place: Path) -> None:
    queue(place / "runs", make_spec())
    (place / "runs").chmod(0o755)
    result = run_as(BOB, place, "pause")
    assert result.returncode == 1
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("postertui: runs/.paused: Permission denied: runs belongs to root:root")
    assert line.endswith("(mode 755); `sudo chown -R 54322 runs` makes it yours")


@pytest.mark.parametrize(
    ("mode", "command", "denied"),
    [
        (0o700, ["runs"], "runs"),
        (0o700, ["export", "-o", "t.csv"], "runs"),
        (0o700, ["cancel", "--all"], "runs"),
        (0o700, ["doctor"], "runs"),
        (0o755, ["train", "--genre", "Drama", "--weights", "random"], "runs"),
        (0o755, ["rm", "--all", "--yes"], "runs"),
    ],
)
def test_every_command_names_owner_mode_and_way_out(
    place: Path, mode: int, command: list[str], denied: str
) -> None:
    queue(place / "runs", make_spec())
    for each in (place / "runs").rglob("*"):
        each.chmod(0o755 if each.is_dir() else 0o644)
    (place / "runs").chmod(mode)
    result = run_as(BOB, place, *command)
    assert result.returncode in (1, 2)
    why = f"{denied} belongs to root:root (mode {mode:o})"
    assert f"{why}; `sudo chown -R 54322 {denied}` makes it yours" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_retry_goes_on_with_what_this_account_may_change(place: Path) -> None:
    runs = place / "runs"
    theirs, done, mine = queue(runs, *(make_spec(g) for g in ("Comedy", "Drama", "Horror")))
    requests.cancel(runs, [theirs, mine])
    with EventWriter(runs / done / layout.EVENTS) as writer:
        writer.append("end", status="done", reason=None)
    for each in runs.rglob("*"):
        each.chmod(0o755 if each.is_dir() else 0o644)
    for each in (runs / mine, *(runs / mine).iterdir(), *runs.glob(".*")):
        os.chown(each, BOB, LAB)
    runs.chmod(0o777)
    result = run_as(BOB, place, "retry", "--all", "--no-start")
    assert result.returncode == 1
    first, why = result.stderr.strip().splitlines()
    assert sorted(first.removeprefix("3 runs: ").split(", ")) == [
        "1 queued",
        "1 this account may not change",
        "1 unchanged",
    ]
    assert why.startswith(f"runs/{theirs} belongs to root:root (mode 755); `sudo chown")


def test_features_are_shared_with_the_runs_group(place: Path) -> None:
    old = place / "data" / "features" / "0123" / "0.npy"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"")
    for each in (old.parent.parent, old.parent, old):
        os.chown(each, ALICE, ALICE)
        each.chmod(0o700 if each.is_dir() else 0o600)
    runs = place / "runs"
    runs.mkdir()
    os.chown(runs, ALICE, LAB)
    train = ("train", "--study", "lab.toml", "--weights", "random", "--jobs", "1")
    result = run_as(ALICE, place, *train, "--genre", "Comedy")
    assert result.returncode == 0, result.stderr
    for path in (old.parent.parent, old.parent):
        assert (path.stat().st_gid, path.stat().st_mode & 0o7777) == (LAB, 0o2770)
    assert (old.stat().st_gid, old.stat().st_mode & 0o777) == (LAB, 0o660)


def test_only_the_owner_can_share(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    share_with_group(folder)
    assert is_shared(folder)
    assert folder.stat().st_mode & 0o7777 == 0o2770


def test_access_is_for_the_group_or_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('runs_access = "everyone"\n[base]\nepochs = 1\n')
    with pytest.raises(UserError, match='"everyone" is not "group"; leave it out'):
        load_study(path)
    path.write_text('runs_access = "group"\n[base]\nepochs = 1\n')
    assert load_study(path).runs_access == "group"
