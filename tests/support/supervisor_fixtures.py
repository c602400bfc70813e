"""A runs folder for real supervisors and jobs, all of which are gone when the test is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.supervisor import cheap_environment, end_processes


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Processes started from here train cheaply; the folder where trainers leave notes."""
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
    end_processes(path)
