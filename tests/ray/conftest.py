"""One real cluster for all tests: a head and two nodes with one CPU each."""

from __future__ import annotations

import fcntl
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ray_cluster import LocalCluster
from tests.support.ray_scene import Scene


@pytest.fixture(scope="session")
def cluster_of_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    cluster = LocalCluster(tmp_path_factory.mktemp("cluster"))
    # Two clusters at once are more than two cores can start.
    with (Path(tmp_path_factory.getbasetemp().parent) / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def cluster(cluster_of_session: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> LocalCluster:
    """The cluster, whole, and an environment from which clients reach it."""
    cluster_of_session.heal()
    for name, value in cluster_of_session.client_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CHEAP_NOTES", raising=False)
    return cluster_of_session


@pytest.fixture
def scene(cluster: LocalCluster) -> Iterator[Scene]:
    """Runs on the cluster; none of them is left when the test is over."""
    scene = Scene(cluster)
    scene.clear()
    yield scene
    scene.clear()
