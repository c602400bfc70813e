"""One real cluster per test process: a head and two nodes with one CPU each."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.local import LocalCluster
from tests.supervisor.helpers import cheap_environment, end_processes


@pytest.fixture(scope="session")
def cluster_of_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    # Two test processes that start a cluster at once take each other's ports.
    with (Path(tmp_path_factory.getbasetemp().parent) / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = _started(tmp_path_factory)
    try:
        yield cluster
    finally:
        cluster.stop()


def _started(tmp_path_factory: pytest.TempPathFactory, attempts: int = 3) -> LocalCluster:
    """A cluster. Ray itself now and then gives up while it starts on a busy machine."""
    for _ in range(attempts):
        cluster = LocalCluster(tmp_path_factory.mktemp("cluster"))
        with contextlib.ExitStack() as stack:
            stack.callback(cluster.stop)
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                cluster.start()
                stack.pop_all()
                return cluster
    pytest.skip(f"Ray did not come up here in {attempts} attempts")


@pytest.fixture
def cluster(
    cluster_of_session: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalCluster]:
    """The cluster, whole, and an environment from which clients reach it and train cheaply."""
    cluster = cluster_of_session
    cluster.heal()
    for name, value in {**cheap_environment(), **cluster.client_environment}.items():
        monkeypatch.setenv(name, value)
    yield cluster
    cluster.end_work()


@pytest.fixture
def folder(cluster: LocalCluster, tmp_path: Path) -> Iterator[Path]:
    """An empty runs folder, whose supervisor is gone when the test is over."""
    assert cluster.nodes
    path = tmp_path / "runs"
    path.mkdir(mode=0o700)
    yield path
    end_processes(path)
