"""Training as the first process of a container, where nothing outlives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.runs.store import Store
from tests.support.poster_data import make_data
from tests.support.supervisor import ROOT, cheap_environment, processes_of


def as_first_process(place: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """`postertui train` with the process number 1, as a container's entry point has it."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a process namespace of its own needs root")
    train = [sys.executable, "-P", "-m", "postertui", "train", "--weights", "random"]
    train += ["--variant", "base", "--epochs", "3", "--genre", "Comedy", "--jobs", "1"]
    return subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", *train, *args],
        cwd=place,
        env=cheap_environment(PYTHONPATH=str(ROOT), CHEAP_NOTES=""),
        capture_output=True,
        text=True,
        check=False,
    )


def test_detach_is_refused_and_foreground_is_named(tmp_path: Path) -> None:
    make_data(tmp_path / "data")
    result = as_first_process(tmp_path, "--detach")
    assert result.returncode == 2
    [line] = result.stderr.strip().splitlines()
    assert line.endswith("takes the training along; use --foreground")
    assert not (tmp_path / "runs").exists()


def test_foreground_trains_to_the_end_and_leaves_no_process(tmp_path: Path) -> None:
    make_data(tmp_path / "data")
    result = as_first_process(tmp_path, "--foreground")
    assert result.returncode == 0, result.stderr
    assert "Trained 1 run: 1 done." in result.stderr
    store = Store(tmp_path / "runs", cache=False)
    store.refresh()
    assert [run.state for run in store.runs.values()] == ["done"]
    assert not processes_of(tmp_path / "runs")


def test_detach_and_foreground_are_opposites(tmp_path: Path) -> None:
    result = as_first_process(tmp_path, "--foreground", "--detach")
    assert result.returncode == 2
    assert "are opposites" in result.stderr
