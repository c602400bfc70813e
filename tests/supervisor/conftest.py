"""A runs folder for real supervisors and jobs, all of which are gone when the test is over."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.supervisor.helpers import cheap_environment, processes_of


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Whoever is started from here trains cheaply; where trainers leave word for each other."""
    for name, value in cheap_environment().items():
        monkeypatch.setenv(name, value)
    notes = tmp_path / "notes"
    notes.mkdir()
    monkeypatch.setenv("CHEAP_NOTES", str(notes))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return notes


@pytest.fixture
def folder(cheap: Path, tmp_path: Path) -> Iterator[Path]:
    """An empty runs folder."""
    assert cheap.is_dir()
    path = tmp_path / "runs"
    path.mkdir(mode=0o700)
    yield path
    left = processes_of(path)
    for process in left:
        with contextlib.suppress(psutil.Error, OSError):
            os.kill(process.pid, 9)
    psutil.wait_procs(left, timeout=10)
