"""A setting that cannot be used is one clear line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.supervisor import CHEAP, ROOT, make_spec, queue, read, train_all


def run_program(
    *words: str | Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postertui", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "POSTERTUI_TRAINER": CHEAP, "PYTHONPATH": str(ROOT)} | environment,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTERTUI_STALL", "soon"),
        ("POSTERTUI_STALL", "-1"),
        ("POSTERTUI_STALL", "nan"),
        ("POSTERTUI_JOB_MEMORY_MB", "lots"),
    ],
)
def test_variables_of_the_supervisor(name: str, value: str, tmp_path: Path) -> None:
    queue(tmp_path / "runs", make_spec())
    result = run_program("resume", "--runs", tmp_path / "runs", environment={name: value})
    assert result.returncode != 0
    [line] = result.stderr.splitlines()
    assert name in line
    assert value in line
    assert "goes on" not in line


def test_trainer_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runs"
    [name] = queue(folder, make_spec())
    monkeypatch.setenv("POSTERTUI_TRAINER", "no.such:Trainer")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    train_all(folder)
    run = read(folder)[name]
    assert run.state == "failed"
    assert "POSTERTUI_TRAINER=no.such:Trainer" in (run.reason or "")


@pytest.mark.parametrize("out", ["runs", "runs/figures", "runs/../runs/x"])
def test_output_among_the_runs(out: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    queue(runs, make_spec())
    result = run_program("report", "--runs", runs, "--out", tmp_path / out, environment={})
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "lies in the runs folder" in line
