"""What goes wrong on a cluster, done for real; afterwards nothing is lost, doubled or untrue."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from postertui.runs import RunSpec
from postertui.supervisor import requests
from tests.cluster.local import LocalCluster, Node, wait_for
from tests.supervisor.helpers import (
    assert_told_once,
    ends,
    epochs_told,
    events_of,
    history,
    job_of,
    kill,
    make_spec,
    queue,
    read,
    states,
    supervisor_of,
    undisturbed,
    wait_until_over,
)

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

#: Long enough to be hit in the middle, short enough to be trained twice.
EPOCHS = 20


@pytest.fixture(autouse=True)
def slow_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEAP_SECONDS", "0.1")


def specs_of(*genres: str, epochs: int = EPOCHS) -> list[RunSpec]:
    return [make_spec(genre, epochs=epochs) for genre in genres]


def begin(cluster: LocalCluster, folder: Path, specs: list[RunSpec]) -> list[str]:
    """Queue the runs and give them to the cluster."""
    names = queue(folder, *specs)
    requests.ensure_supervisor(folder, on=cluster.address)
    return names


def wait_for_epochs(folder: Path, run: str, epochs: int) -> None:
    wait_for(lambda: epochs_told(folder, run) >= epochs, f"{run} to have {epochs} epochs")


def wait_until_closed(folder: Path, names: list[str]) -> None:
    wait_for(lambda: all(read(folder)[n].is_closed for n in names), "all runs to have their end")


def assert_intact(folder: Path, tmp_path: Path, specs: list[RunSpec]) -> None:
    """Every run is done with the history of an undisturbed one, and nothing is left working."""
    try:
        wait_for(lambda: set(states(folder).values()) == {"done"})
    except AssertionError:
        log = (folder / ".supervisor.log").read_text()
        raise AssertionError(f"{states(folder)}; {requests.status(folder)}; {log}") from None
    calm = undisturbed(tmp_path, specs)
    for name, run in read(folder).items():
        assert_told_once(folder, name)
        assert history(run) == calm[name]
    wait_until_over(folder)
    assert not list(folder.glob("*/cluster"))


def node_of(cluster: LocalCluster, folder: Path, run: str) -> Node:
    """The node on which the run's job is."""
    job = job_of(folder, run)
    return next(n for n in cluster.nodes if any(p.pid == job.pid for p in n.processes()))


def agent_of(folder: Path, run: str) -> psutil.Process:
    parent = psutil.Process(job_of(folder, run).pid).parent()
    assert parent is not None
    assert "postertui.cluster.agent" in parent.cmdline()
    return parent


def test_killed_worker_agent_and_job_lose_nothing(
    cluster: LocalCluster, folder: Path, tmp_path: Path
) -> None:
    specs = specs_of("Comedy", "Drama", "Horror")
    names = begin(cluster, folder, specs)
    first, second = names[:2]
    wait_for_epochs(folder, first, 3)
    wait_for_epochs(folder, second, 3)
    worker = agent_of(folder, first).parent()
    assert worker is not None
    worker.kill()
    kill(job_of(folder, second))
    wait_for(lambda: len(ends(folder, second)) > 0, "the supervisor to hear of the job's death")
    assert ends(folder, second)[0]["status"] == "interrupted"
    wait_for_epochs(folder, names[2], 3)
    agent_of(folder, names[2]).kill()
    assert_intact(folder, tmp_path, specs)
    assert read(folder)[first].spec is not None


def test_node_killed_then_another_takes_over(
    cluster: LocalCluster, folder: Path, tmp_path: Path
) -> None:
    specs = specs_of("Comedy", "Drama")
    names = begin(cluster, folder, specs)
    for name in names:
        wait_for_epochs(folder, name, 3)
    had = epochs_told(folder, names[0])
    node_of(cluster, folder, names[0]).kill()
    wait_until_closed(folder, names)
    assert epochs_told(folder, names[0]) >= had
    assert_intact(folder, tmp_path, specs)


def test_what_a_returning_node_has_is_merged(
    cluster: LocalCluster, folder: Path, tmp_path: Path
) -> None:
    cluster.node("node2").kill()
    specs = specs_of("Comedy", epochs=50)
    [name] = begin(cluster, folder, specs)
    wait_for_epochs(folder, name, 3)
    node = node_of(cluster, folder, name)
    # The agent stands still; the job does not, and writes what nobody passes on.
    agent_of(folder, name).send_signal(signal.SIGSTOP)
    arrived = epochs_told(folder, name)
    [there] = node.home.rglob(f"{name}/events.jsonl")
    wait_for(lambda: there.read_bytes().count(b'"epoch"') > arrived + 8, "epochs that stay there")
    node.kill()
    assert epochs_told(folder, name) < arrived + 8
    cluster.start_node(node.name, home=node.home)
    assert_intact(folder, tmp_path, specs)
    starts = [e for e in events_of(folder, name) if e["event"] == "start"]
    assert len(starts) == 2
    assert starts[1]["from_epoch"] > arrived


def test_driver_killed(cluster: LocalCluster, folder: Path, tmp_path: Path) -> None:
    specs = specs_of("Comedy", "Drama", "Horror")
    names = begin(cluster, folder, specs)
    wait_for_epochs(folder, names[0], 3)
    [driver] = cluster.working("postertui.cluster.driver")
    driver.kill()
    assert_intact(folder, tmp_path, specs)


def test_head_restarted(cluster: LocalCluster, folder: Path, tmp_path: Path) -> None:
    specs = specs_of("Comedy", "Drama")
    names = begin(cluster, folder, specs)
    for name in names:
        wait_for_epochs(folder, name, 3)
    cluster.restart_head()
    waiting = wait_for(lambda: requests.status(folder).waiting, "a word about the lost head")
    assert "127.0.0.1" in str(waiting)
    assert set(states(folder).values()) == {"running"}
    cluster.heal()
    assert_intact(folder, tmp_path, specs)


def test_slow_node_is_given_up_and_doubles_nothing_when_it_wakes(
    cluster: LocalCluster, folder: Path, tmp_path: Path
) -> None:
    specs = specs_of("Comedy", "Drama")
    names = begin(cluster, folder, specs)
    for name in names:
        wait_for_epochs(folder, name, 3)
    node = node_of(cluster, folder, names[0])
    node.signal(signal.SIGSTOP)
    try:
        wait_until_closed(folder, names)
    finally:
        node.signal(signal.SIGCONT)
    assert_intact(folder, tmp_path, specs)
    # Its raylet hears that it was given up, and goes.
    node.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with 12 MB of room."""
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(path: Path) -> None:
    """Leave no room on the path's disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match="space"):
            while True:
                os.write(file, bytes(4096))
    finally:
        os.close(file)


def test_node_without_room_on_its_disk(
    cluster: LocalCluster, folder: Path, tmp_path: Path, small_disk: Path
) -> None:
    cluster.node("node1").kill()
    small = cluster.start_node("small", home=small_disk)
    specs = specs_of("Comedy", "Drama")
    names = begin(cluster, folder, specs)
    for name in names:
        wait_for_epochs(folder, name, 3)
    [run] = [n for n in names if node_of(cluster, folder, n) is small]
    fill(small_disk / "filler")
    assert_intact(folder, tmp_path, specs)
    # It went on elsewhere, and nothing there was said to have failed.
    assert [e["status"] for e in ends(folder, run)][-1] == "done"
    small.kill()


def test_cancel_in_mid_epoch_leaves_no_process(cluster: LocalCluster, folder: Path) -> None:
    [hanging, queued, never] = begin(
        cluster, folder, specs_of("hang", "hang and wait", "never begun")
    )
    wait_for_epochs(folder, hanging, 2)
    wait_for_epochs(folder, queued, 2)
    groups = [job_of(folder, run).pid for run in (hanging, queued)]
    asked = time.monotonic()
    requests.cancel(folder, [hanging, queued, never])
    wait_until_closed(folder, [hanging, queued, never])
    assert time.monotonic() - asked < 60
    assert set(states(folder).values()) == {"cancelled"}
    assert not any(e["event"] == "start" for e in events_of(folder, never))
    for group in groups:
        wait_for(lambda group=group: not members(group), f"process group {group} to be empty")
    wait_until_over(folder)
    assert not list(folder.glob("*/cancel"))


def members(group: int) -> list[int]:
    """The processes of a process group that are no zombies."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return found


def test_cluster_works_on_while_the_client_is_gone(
    cluster: LocalCluster, folder: Path, tmp_path: Path
) -> None:
    specs = specs_of("Comedy", "Drama", "Horror", "Western")
    names = begin(cluster, folder, specs)
    wait_for_epochs(folder, names[0], 3)
    kill(supervisor_of(folder))
    before = {name: epochs_told(folder, name) for name in names}

    def all_done_there() -> bool:
        done = {
            path.parent.name
            for node in cluster.nodes
            for path in node.home.rglob("events.jsonl")
            if path.parent.name in names and b'"status":"done"' in path.read_bytes()
        }
        return done == set(names)

    wait_for(all_done_there, "the cluster to finish alone")
    assert {name: epochs_told(folder, name) for name in names} == before
    requests.ensure_supervisor(folder)
    assert_intact(folder, tmp_path, specs)
    # Nothing was trained twice: each run began once.
    for name in names:
        assert [e["event"] for e in events_of(folder, name)].count("start") == 1


def test_pause_lets_the_cluster_begin_nothing_new(
    cluster: LocalCluster, folder: Path, tmp_path: Path
) -> None:
    specs = specs_of("Comedy", "Drama", "Horror", "War", "Western")
    names = begin(cluster, folder, specs)
    for name in names[:2]:
        wait_for_epochs(folder, name, 1)
    requests.pause(folder)
    requests.set_priority(folder, names[4:], 5)
    wait_until_closed(folder, names[:2])
    assert [epochs_told(folder, name) for name in names[2:]] == [0, 0, 0]
    requests.resume(folder)
    requests.ensure_supervisor(folder)
    assert_intact(folder, tmp_path, specs)
    *others, first = [events_of(folder, name)[0]["time"] for name in names[2:]]
    assert first < max(others)
