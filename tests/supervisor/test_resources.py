"""A full disk, a device without memory, and jobs that grow old."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from postertui.runs import layout
from postertui.supervisor import requests
from postertui.system.locks import is_held
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    assert_nothing_left,
    ends,
    events_of,
    history,
    make_spec,
    pace,
    queue,
    read,
    recorded_epochs,
    states,
    supervisor_of,
    train_all,
    undisturbed,
    wait_for,
    wait_until_over,
    wait_until_trained,
)


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of one megabyte, or as the test's parameter has it."""
    place = tmp_path / "disk"
    place.mkdir()
    size = getattr(request, "param", "size=1m")
    options = ["mount", "-t", "tmpfs", "-o", f"{size},mode=700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Take all room on the disk but `leave` bytes."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    with ballast.open("wb") as file:
        file.write(bytes(room.f_bavail * room.f_frsize - leave))
    return ballast


def test_full_disk_makes_the_queue_wait_and_damages_nothing(
    folder: Path, small_disk: Path, tmp_path: Path
) -> None:
    pace(folder, 0.05)
    runs = small_disk / "runs"
    specs = [make_spec(genre, epochs=150) for genre in ("Comedy", "Drama", "Horror")]
    names = queue(runs, *specs)
    requests.ensure_supervisor(runs, jobs=2)
    try:
        wait_for(lambda: recorded_epochs(runs, names[0]) >= 5)
        ballast = fill(small_disk)
        wait_for(lambda: "no room left" in (requests.status(runs).waiting or ""), "the banner")
        wait_for(lambda: not any(s == "running" for s in states(runs).values()))
        epochs = {name: recorded_epochs(runs, name) for name in names}
        assert all(run.damage is None for run in read(runs).values())
        assert is_held(runs / layout.SUPERVISOR_LOCK), "the supervisor waits for room"
        ballast.unlink()
        pace(folder, 0)
        wait_until_over(runs)
        assert all(recorded_epochs(runs, name) >= epochs[name] for name in names)
        assert_as_if_undisturbed(runs, tmp_path, *specs)
    finally:
        requests.stop_supervisor(runs, patience=30)


@pytest.mark.parametrize("small_disk", ["size=20m,nr_inodes=200"], indirect=True)
def test_no_inodes_left_makes_the_queue_wait_as_no_room_left(
    folder: Path, small_disk: Path, tmp_path: Path
) -> None:
    pace(folder, 0.05)
    runs = small_disk / "runs"
    specs = [make_spec(genre, epochs=150) for genre in ("Comedy", "Drama")]
    names = queue(runs, *specs)
    requests.ensure_supervisor(runs, jobs=1)
    try:
        wait_for(lambda: recorded_epochs(runs, names[0]) >= 5)
        ballast = small_disk / "ballast"
        ballast.mkdir()
        for number in range(os.statvfs(small_disk).f_favail):
            with contextlib.suppress(OSError):
                (ballast / str(number)).touch()
        wait_for(lambda: "no room left" in (requests.status(runs).waiting or ""), "the banner")
        assert all(run.damage is None for run in read(runs).values())
        assert is_held(runs / layout.SUPERVISOR_LOCK), "the supervisor waits for room"
        shutil.rmtree(ballast)
        pace(folder, 0)
        wait_until_over(runs)
        assert_as_if_undisturbed(runs, tmp_path, *specs)
    finally:
        requests.stop_supervisor(runs, patience=30)


@pytest.mark.usefixtures("folder")
def test_queueing_on_a_full_disk_is_one_line_and_leaves_nothing(small_disk: Path) -> None:
    from postertui.supervisor.plan import queue as queue_specs
    from postertui.system.errors import UserError

    runs = small_disk / "runs"
    runs.mkdir()
    fill(small_disk)
    with pytest.raises(UserError, match="No space left on device") as caught:
        queue_specs(runs, [make_spec()])
    assert "\n" not in str(caught.value)
    assert list(runs.iterdir()) == []


def test_run_that_lacks_device_memory_is_tried_once_more_alone(
    folder: Path, cheap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEAP_SECONDS", "0.03")
    big = make_spec("big", epochs=6, created=1.0)
    others = [make_spec(genre, epochs=20, created=2.0) for genre in ("A", "B", "C")]
    queue(folder, big, *others)
    # It lacks memory from its third epoch on, which waits until another run is there as well.
    (cheap / "hold").write_text("2")
    requests.ensure_supervisor(folder, jobs=2)
    for spec in (big, others[0]):
        wait_until_trained(folder, spec.run, 2)
    (cheap / "hold").unlink()
    wait_until_over(folder)
    [lost, done] = ends(folder, big.run)
    assert (lost["status"], lost["cause"]) == ("interrupted", "device-memory")
    assert done["status"] == "done"
    assert_as_if_undisturbed(folder, tmp_path, big, *others)
    # While it had the device to itself no other run was trained.
    begin = next(e["time"] for e in events_of(folder, big.run) if e["attempt"] == 2)
    for spec in others:
        for event in events_of(folder, spec.run):
            assert not begin < event["time"] < done["time"]


def test_run_that_lacks_device_memory_even_alone_fails(folder: Path, tmp_path: Path) -> None:
    greedy, other = make_spec("oom"), make_spec("Comedy")
    queue(folder, greedy, other)
    train_all(folder)
    run = read(folder)[greedy.run]
    assert (run.state, run.attempt) == ("failed", 2)
    assert "out of memory" in (run.reason or "")
    assert history(read(folder)[other.run]) == undisturbed(tmp_path, [other])[other.run]
    assert_nothing_left(folder, other.run)


def test_job_stays_warm_and_is_replaced_after_so_many_runs(folder: Path, tmp_path: Path) -> None:
    from postertui.supervisor.backends.local import LocalJobs
    from postertui.supervisor.service import Supervisor

    specs = [make_spec(seed=seed, epochs=2) for seed in range(5)]
    names = queue(folder, *specs)
    supervisor = Supervisor(folder, LocalJobs(folder, jobs=1, max_runs=2))
    supervisor.run()
    supervisor.finish()
    pids = [events_of(folder, name)[0]["pid"] for name in names]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 1]
    assert_as_if_undisturbed(folder, tmp_path, *specs)


def test_jobs_at_a_time_follow_the_newest_request(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEAP_SECONDS", "0.1")
    queue(folder, *(make_spec(seed=seed, epochs=200) for seed in range(5)))
    requests.ensure_supervisor(folder, jobs=1)
    wait_for(lambda: list(states(folder).values()).count("running") == 1)
    assert not requests.ensure_supervisor(folder, jobs=3)
    wait_for(lambda: list(states(folder).values()).count("running") == 3)
    assert len(requests.status(folder).jobs) == 3
    supervisor_of(folder)
    assert requests.stop_supervisor(folder, patience=60)
