"""The same run twice, two supervisors, two clients: one of them is enough."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from postertui.supervisor import requests
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    events_of,
    make_spec,
    pace,
    queue,
    start_job,
    supervisor_of,
    wait_until_over,
    wait_until_trained,
)


def test_second_job_of_a_run_exits_at_once(folder: Path, tmp_path: Path) -> None:
    pace(folder, 0.05)
    spec = make_spec(epochs=200)
    queue(folder, spec)
    first = start_job(folder, spec.run)
    wait_until_trained(folder, spec.run)
    second = start_job(folder, spec.run)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 3
    assert "another process trains this run" in errors
    assert first.poll() is None, "the second did not wait for the first"
    pace(folder, 0)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert len([e for e in events_of(folder, spec.run) if e["event"] == "start"]) == 1
    assert_as_if_undisturbed(folder, tmp_path, spec)


def test_second_supervisor_exits_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEAP_SECONDS", "0.1")
    [name] = queue(folder, make_spec(epochs=100))
    assert requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, name)
    first = supervisor_of(folder)
    for extra in ([], ["--foreground"]):
        command = [sys.executable, "-m", "postertui.supervisor", str(folder), *extra]
        second = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert second.returncode == 3
    assert not requests.ensure_supervisor(folder)
    assert supervisor_of(folder) == first
    assert requests.stop_supervisor(folder, patience=60)


def test_many_clients_at_once_start_one_supervisor_and_train_each_run_once(
    folder: Path, tmp_path: Path
) -> None:
    specs = [make_spec(seed=seed) for seed in range(4)]

    def client(_: int) -> bool:
        queue(folder, *specs)
        return requests.ensure_supervisor(folder, jobs=2)

    with ThreadPoolExecutor(6) as pool:
        assert any(pool.map(client, range(6)))
    wait_until_over(folder)
    assert_as_if_undisturbed(folder, tmp_path, *specs)
    for spec in specs:
        assert len([e for e in events_of(folder, spec.run) if e["event"] == "start"]) == 1
