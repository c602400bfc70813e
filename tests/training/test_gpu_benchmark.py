"""The measurements of an accelerator work, small, on whatever this machine has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_quick_measurements_on_this_machine(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    names = ["device", "batched", "strip", "memory"]
    command = [sys.executable, "-m", "benchmarks.gpu", "--quick", "--json", str(numbers), *names]
    result = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    results = json.loads(numbers.read_text())
    assert list(results) == names
    assert results["device"]["accelerators"] == []
    assert results["batched"]["runs"] == 12
    assert results["memory"] == {"skipped": "no accelerator, so none to fill"}
    assert "no accelerator" in result.stdout
