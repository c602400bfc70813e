"""A cluster as its user meets it: what is checked first, the commands, devices, data."""

from __future__ import annotations

import collections
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest

from postertui.data.dataset import Dataset
from postertui.data.feature_key import feature_key
from postertui.data.posters import build_dataset
from postertui.data.synthetic import make_posters
from postertui.runs.spec import RunSpec
from postertui.study import ALL_LAYERS, Variant
from postertui.supervisor.backends.ray import bundles
from postertui.system.errors import UserError
from tests.support.commands import invoke
from tests.support.poster_data import make_data
from tests.support.ray_cluster import ROOT, LocalCluster, Node, wait_for
from tests.support.ray_scene import Scene
from tests.support.supervisor import events_of, history, job_of, kill, make_spec, read

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def drivers(cluster: LocalCluster) -> set[int]:
    return {process.pid for process in cluster.working("postertui.supervisor.backends.ray.driver")}


def test_doctor_shows_the_nodes_and_train_refuses_one_that_differs(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    data = make_data(tmp_path / "data")
    where = ["--runs", tmp_path / "runs", "--data", data]
    before = drivers(cluster)

    def findings() -> list[dict[str, Any]]:
        findings = json.loads(invoke("doctor", "--on", cluster.address, *where, "--json").stdout)
        return [f for f in findings if f["area"] == "cluster"]

    ray, *nodes = findings()
    assert ray["status"] == "ok"
    assert "which asks for our token" in ray["text"]
    assert len(nodes) == 3
    for node in nodes:
        assert node["status"] == "ok"
        assert "versions as here" in node["text"]
        assert f"it sees {data}" in node["text"]
    assert sum(": 1 CPU, " in node["text"] for node in nodes) == 2
    assert all(any(str(n.home / "cache") in f["text"] for f in nodes) for n in cluster.nodes[:1])

    # A node with another NumPy, as far as its packages say.
    (tmp_path / "odd" / "numpy-0.1.dist-info").mkdir(parents=True)
    about = "Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n"
    (tmp_path / "odd" / "numpy-0.1.dist-info" / "METADATA").write_text(about)
    cluster.start_node("odd", PYTHONPATH=f"{tmp_path / 'odd'}:{ROOT}")
    [wrong] = [f for f in findings() if f["status"] == "wrong"]
    assert f"numpy 0.1 (here {np.__version__})" in wrong["text"]
    assert "install the same" in wrong["mend"]
    train = ["train", "--variant", "base", "--weights", "random", *where]
    message = invoke(*train, "--on", cluster.address).exception
    assert isinstance(message, UserError)
    assert message.exit_code == 2
    assert "numpy 0.1" in str(message)
    # Nothing was queued, and no process is left on the cluster.
    assert not (tmp_path / "runs").exists()
    wait_for(lambda: drivers(cluster) <= before, "the checks' drivers to be gone")


def test_what_fits_nowhere_is_refused_and_nothing_is_queued(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, runs = make_data(tmp_path / "data"), tmp_path / "runs"
    train = ["train", "--variant", "base", "--weights", "random", "--data", data, "--runs", runs]
    message = invoke(*train, "--on", cluster.address, "--gpu", 0.5).exception
    assert isinstance(message, UserError)
    assert "--gpu 0.5 fits nowhere: the nodes have no GPU each" in str(message)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 32)
    message = invoke(*train, "--on", cluster.address).exception
    assert isinstance(message, UserError)
    assert "another token than this machine" in str(message)
    assert not runs.exists()


def test_the_same_commands_as_on_one_machine(scene: Scene) -> None:
    """Train, pause and resume of one run, cancel and retry of another."""
    data = make_data(scene.cluster.client / "data")
    where = ["--runs", scene.folder]
    scene.hold(3)
    epochs = 150
    genres = ["--genre", "Comedy", "--genre", "Drama"]
    train = ["train", "--variant", "base", "--epochs", epochs, *genres, "--weights", "random"]
    result = invoke(
        *train, "--data", data, *where, "--on", scene.cluster.address, "--detach", "--json"
    )
    assert result.return_value == 0, result.output
    assert "On the Ray cluster at http://127.0.0.1" in result.stderr
    names = json.loads(result.stdout)["missing"]
    paused, cancelled = names
    scene.wait_for_epochs(names, 3)
    assert invoke("pause", paused, *where).return_value == 0
    assert invoke("cancel", cancelled, *where).return_value == 0

    def has_stopped() -> bool:
        """It stops after the epoch in which it hears of that."""
        scene.hold(scene.epochs(paused) + 1)
        return scene.ends(paused) == ["interrupted"]

    wait_for(has_stopped, scene.failure("the pause"))
    scene.wait_until_closed([cancelled])
    assert scene.states([cancelled]) == {"cancelled"}
    scene.wait_until_over()
    scene.let_go()
    assert scene.epochs(paused) < epochs
    # The folder remembers the cluster.
    assert invoke("retry", cancelled, *where).return_value == 0
    scene.assert_intact([cancelled])
    assert scene.starts(paused) == [1]
    assert invoke("resume", paused, *where).return_value == 0
    scene.assert_intact([paused])
    assert scene.starts(paused)[1] > 1
    assert len(scene.starts(cancelled)) == 2


FAKE_NVML = """
def nvmlInit(): pass
def nvmlShutdown(): pass
def nvmlDeviceGetCount(): return 2
"""


def test_four_quarters_of_a_gpu_are_four_runs_on_it(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text(FAKE_NVML)
    scene.cluster.start_node("gpus", cpus=5, gpus=2, PYTHONPATH=f"{tmp_path}:{ROOT}")
    scene.hold(1)
    names = scene.queue("Comedy", "Drama", "Horror", "War", "Western")
    scene.go(gpu=0.25)
    scene.wait_for_epochs(names, 1)
    jobs = [psutil.Process(job_of(scene.folder, name).pid).environ() for name in names]
    device_counts = collections.Counter(job["CUDA_VISIBLE_DEVICES"] for job in jobs)
    assert sorted(device_counts.values()) == [1, 4]
    assert set(device_counts) == {"0", "1"}
    devices = [events_of(scene.folder, name)[0]["device"] for name in names]
    assert collections.Counter(devices) == {f"gpu:{n}": count for n, count in device_counts.items()}
    scene.let_go()
    scene.assert_intact(names)


def with_features(data: Path, spec: RunSpec) -> str:
    dataset = Dataset.open(data)
    key = feature_key(dataset, spec.weights, ALL_LAYERS)
    folder = data / "features" / key
    folder.mkdir(parents=True)
    for digit in dataset.cohorts:
        np.save(folder / f"{digit}.npy", np.full((8, 512), digit, np.float32))
    return key


def bundles_of(node: Node) -> dict[str, int]:
    """The files in the node's cache, and which file each is."""
    folder = node.home / "cache" / "bundles"
    return {
        str(path.relative_to(folder)): path.stat().st_ino
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_features_reach_each_node_once_and_a_shared_path_is_used(
    scene: Scene, tmp_path: Path
) -> None:
    if not scene.cluster.hides:
        pytest.skip("only root can hide a folder from the nodes")
    data = make_data(scene.cluster.client / "posters")
    spec = make_spec(data=str(data), data_fingerprint="f" * 8)
    key = with_features(data, spec)
    nodes = [scene.cluster.node(name) for name in ("node1", "node2")]

    def train(data: Path) -> list[RunSpec]:
        """Two runs, one on each node; as the nodes have them."""
        scene.hold(1)
        names = scene.queue("Comedy", "Drama", data=str(data), data_fingerprint="f" * 8)
        scene.go()
        scene.wait_for_epochs(names, 1)
        homes = [scene.node_of(name).home for name in names]
        assert set(homes) == {node.home for node in nodes}
        run_files = [next(h.rglob(f"{n}/run.json")) for h, n in zip(homes, names, strict=True)]
        scene.let_go()
        scene.assert_intact(names)
        return [msgspec.json.decode(path.read_bytes(), type=RunSpec) for path in run_files]

    name = bundles.bundle_name(spec)
    before = [set(bundles_of(node)) for node in nodes]
    assert {trained_spec.data.split("/")[-1] for trained_spec in train(data)} == {name}
    arrived = [bundles_of(node) for node in nodes]
    files = {"dataset.json", "labels-0.npy", "labels-2.npy", "ids-0.npy", "ids-2.npy"}
    files |= {f"features/{key}/0.npy", f"features/{key}/2.npy"}
    for had, has in zip(before, arrived, strict=True):
        assert has.keys() - had == {f"{name}/{file}" for file in files}
    # The same content under another path: nothing travels again.
    moved = data.rename(data.with_name("moved"))
    train(moved)
    assert [bundles_of(node) for node in nodes] == arrived
    # What the nodes see themselves is used where it is.
    shared = make_data(tmp_path / "shared")
    assert {trained_spec.data for trained_spec in train(shared)} == {str(shared)}
    assert [bundles_of(node) for node in nodes] == arrived


def test_real_training_has_the_same_history_to_the_bit_as_on_one_machine(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node gets posters, computes features itself and trains with TensorFlow.

    In a folder of its own, for a driver that is warm keeps the trainer that it began with.
    """
    pytest.importorskip("tensorflow")
    client = scene.cluster.client
    posters = make_posters(client / "made", 48)
    build_dataset(posters.posters, posters.labels, client / "here", progress=lambda *_: None)
    shutil.copytree(client / "here", client / "trained_spec")
    monkeypatch.setenv("POSTERTUI_TRAINER", "postertui.training.trainer:Trainer")
    train = ["train", "--variant", "base", "--genre", "Comedy", "--epochs", 2]
    train += ["--weights", "random", "--all-genres"]
    local_folders = ["--data", client / "here", "--runs", client / "trained-here", "--jobs", 1]
    assert invoke(*train, *local_folders).return_value == 0
    cluster_folders = ["--data", client / "trained_spec", "--runs", client / "trained-there"]
    assert invoke(*train, *cluster_folders, "--on", scene.cluster.address).return_value == 0
    [(name, run)] = read(client / "trained-here").items()
    assert len(history(run)) == 2
    assert history(read(client / "trained-there")[name]) == history(run)
    for result in ("predictions.parquet", "weights.npz"):
        local = client / "trained-here" / name / result
        assert (client / "trained-there" / name / result).read_bytes() == local.read_bytes()


def test_genres_that_share_layers_are_one_task_and_go_on_together_when_it_is_killed(
    scene: Scene,
) -> None:
    genres = ("Action", "Comedy", "Drama")
    scene.hold(3)
    variant = Variant(name="shared", share="fc1", epochs=6)
    names = scene.queue(*genres, group=genres, variant=variant)
    scene.go()
    scene.wait_for_epochs(names, 3)
    jobs = [job_of(scene.folder, name) for name in names]
    assert len({job.pid for job in jobs}) == 1
    kill(jobs[0])
    scene.let_go()
    scene.assert_intact(names)
