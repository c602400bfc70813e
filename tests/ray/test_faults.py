"""What goes wrong on a cluster, done for real; afterwards nothing is lost, doubled or untrue."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from postertui.supervisor import requests
from tests.support.ray_cluster import wait_for
from tests.support.ray_scene import EPOCHS, Scene
from tests.support.supervisor import events_of, job_of, kill, supervisor_of

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def test_killed_worker_agent_and_job_lose_nothing(scene: Scene) -> None:
    names = scene.begin("Comedy", "Drama")
    scene.wait_for_epochs(names, 3)
    first, second = names
    worker, job = scene.agent_of(first).parent(), job_of(scene.folder, second)
    assert worker is not None
    scene.hold(6)
    scene.wait_for_epochs(names, 6)
    worker.kill()
    kill(job)
    wait_for(lambda: scene.ends(second), scene.failure("the supervisor to hear of the job's death"))
    assert scene.ends(second) == ["interrupted"]
    # Each goes on, and the other one's agent is next.
    scene.hold(9)
    scene.wait_for_epochs(names, 9)
    scene.agent_of(second).kill()
    wait_for(lambda: len(scene.starts(second)) == 3, scene.failure("a third attempt"))
    scene.let_go()
    scene.assert_intact(names)
    assert len(scene.starts(first)) == 2


def test_node_killed_then_another_goes_on_from_the_checkpoint_that_was_sent_along(
    scene: Scene,
) -> None:
    head = scene.cluster.node("head").home
    with scene.pace(0.25):
        names = scene.begin("Comedy", "Drama", hold=8, epochs=60)
        scene.wait_for_epochs(names, 8)
    first, second = names

    def kept() -> list[int]:
        return [int(path.suffix[1:]) for path in head.rglob(f"{first}.*")]

    wait_for(kept, scene.failure("a checkpoint on the head"))
    scene.node_of(first).kill()
    [epoch] = kept()
    scene.let_go()
    scene.assert_intact(names)
    assert scene.starts(first) == [1, epoch + 1]
    assert scene.starts(second) == [1]
    wait_for(lambda: not kept(), "the checkpoint to be dropped")


def test_what_a_returning_node_has_is_merged(scene: Scene) -> None:
    names = scene.begin("Comedy", "Drama")
    scene.wait_for_epochs(names, 3)
    name, other = names
    node, agent = scene.node_of(name), scene.agent_of(name)
    # The agent stands still; the job does not, and writes what is not passed on.
    agent.send_signal(signal.SIGSTOP)
    scene.hold(12)
    [events_on_node] = node.home.rglob(f"{name}/events.jsonl")
    wait_for(lambda: events_on_node.read_bytes().count(b'"epoch":') >= 12, "epochs that stay there")
    node.kill()
    assert scene.epochs(name) == 3
    # The other node has its own run, so that this one waits until its node is back.
    scene.cluster.start_node(node.name, home=node.home)
    wait_for(lambda: scene.epochs(name) == 12, scene.failure("what the node has"))
    scene.let_go()
    scene.assert_intact(names)
    events = events_of(scene.folder, name)
    epochs = [e["epoch"] for e in events if e["event"] == "epoch" and e["attempt"] == 1]
    assert epochs == list(range(1, 13))
    # It went on from the checkpoint that the node had.
    first, second = scene.starts(name)
    assert first == 1 < second
    assert scene.starts(other) == [1]


def test_driver_killed(scene: Scene) -> None:
    names = scene.begin("Comedy", "Drama", "Horror")
    scene.wait_for_epochs(names[:2], 3)
    [driver] = scene.cluster.working("postertui.supervisor.backends.ray.driver")
    driver.kill()
    scene.let_go()
    scene.assert_intact(names)


def test_head_restarted(scene: Scene) -> None:
    names = scene.begin("Comedy", "Drama")
    scene.wait_for_epochs(names, 3)
    scene.cluster.node("head").kill()
    waiting = wait_for(lambda: requests.status(scene.folder).waiting, "a word about the lost head")
    assert "127.0.0.1" in waiting
    assert scene.states(names) == {"running"}
    # Its nodes train without a driver meanwhile.
    wait_for(lambda: not scene.cluster.working(), scene.failure("agents and jobs to end"))
    scene.cluster.heal()
    scene.let_go()
    scene.assert_intact(names)


def test_slow_node_is_given_up_and_doubles_nothing_when_it_wakes(scene: Scene) -> None:
    names = scene.begin("Comedy", "Drama")
    scene.wait_for_epochs(names, 3)
    node = scene.node_of(names[0])
    node.signal(signal.SIGSTOP)
    scene.let_go()
    try:
        scene.wait_until_closed(names)
    finally:
        node.signal(signal.SIGCONT)
    scene.assert_intact(names)
    # Ray may have given it up meanwhile.
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


def test_node_without_room_on_its_disk(scene: Scene, small_disk: Path) -> None:
    small = scene.cluster.start_node("small", home=small_disk)
    names = scene.begin("Comedy", "Drama", "Horror")
    scene.wait_for_epochs(names, 3)
    [run] = [n for n in names if scene.node_of(n) is small]
    fill(small_disk / "filler")
    scene.let_go()
    scene.assert_intact(names)
    # It went on elsewhere, and no run is marked as failed.
    assert scene.ends(run) == ["done"]


def test_cancel_in_mid_epoch_leaves_no_process(scene: Scene) -> None:
    names = scene.begin("helper", "hang", "never begun", hold=2)
    scene.wait_for_epochs(names[:2], 2)
    groups = [job_of(scene.folder, run).pid for run in names[:2]]
    scene.let_go()
    wait_for(lambda: len(members(groups[0])) == 2, "the job and its helper")
    requests.cancel(scene.folder, names)
    scene.wait_until_closed(names)
    assert scene.states(names) == {"cancelled"}
    assert scene.starts(names[2]) == []
    wait_for(lambda: not any(members(group) for group in groups), "the process groups to be empty")
    scene.assert_over(names)


def members(group: int) -> list[int]:
    """The processes of a process group that are no zombies."""
    runs_found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                runs_found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return runs_found


def all_done_there(scene: Scene, names: list[str]) -> bool:
    """Whether the nodes have the end of each run on their disks."""
    done = {
        path.parent.name
        for node in scene.cluster.nodes
        for path in node.home.rglob("events.jsonl")
        if path.parent.name in names and b'"status":"done"' in path.read_bytes()
    }
    return done == set(names)


def test_cluster_works_on_while_the_client_is_gone(scene: Scene) -> None:
    names = scene.begin("Comedy", "Drama", "Horror", "Western")
    scene.wait_for_epochs(names[:2], 3)
    kill(supervisor_of(scene.folder))
    scene.let_go()
    wait_for(lambda: all_done_there(scene, names), "the cluster to finish alone")
    assert [scene.epochs(name) for name in names] == [3, 3, 0, 0]
    requests.ensure_supervisor(scene.folder)
    scene.assert_intact(names)
    # Nothing was trained twice: each run began once.
    assert [scene.starts(name) for name in names] == [[1]] * 4


def test_cluster_works_on_while_the_client_sleeps(scene: Scene) -> None:
    names = scene.begin("Comedy", "Drama", "Horror")
    scene.wait_for_epochs(names[:2], 3)
    supervisor = psutil.Process(supervisor_of(scene.folder).pid)
    supervisor.suspend()
    scene.let_go()
    try:
        wait_for(lambda: all_done_there(scene, names), "the cluster to finish alone")
        assert [scene.epochs(name) for name in names] == [3, 3, 0]
    finally:
        supervisor.resume()
    scene.assert_intact(names)
    assert [scene.starts(name) for name in names] == [[1]] * 3


def test_pause_lets_the_cluster_begin_nothing_new(scene: Scene) -> None:
    names = scene.begin("Comedy", "Drama", "Horror", "War", "Western")
    scene.wait_for_epochs(names[:2], 3)
    requests.pause(scene.folder)
    requests.set_priority(scene.folder, names[4:], 5)
    # One that waits there is given back when it shall wait here; by then all of that has arrived.
    requests.pause_runs(scene.folder, names[2:3])
    given_back = scene.folder / names[2] / "cluster"
    wait_for(lambda: not given_back.exists(), scene.failure("a run to be given back"))
    scene.let_go()
    scene.wait_until_closed(names[:2])
    assert [scene.epochs(name) for name in names] == [EPOCHS, EPOCHS, 0, 0, 0]
    requests.resume(scene.folder)
    requests.resume_runs(scene.folder, names[2:3])
    requests.ensure_supervisor(scene.folder)
    scene.assert_intact(names)
    *others, first = [events_of(scene.folder, name)[0]["time"] for name in names[2:]]
    assert first < max(others)
