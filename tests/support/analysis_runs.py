"""Running the commands of the analysis, and the tables they read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from postertui.history.writing import write_table
from tests.support.analysis_tables import soft_runs

GENRES = ("Comedy", "Drama", "Horror", "War")


def postertui(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The program as a user starts it."""
    command = [sys.executable, "-m", "postertui", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def write_study(path: Path, shift: float = 0.05, seeds: int = 3, rng_seed: int = 0) -> Path:
    """Base and `other`, which is better by `shift`, as a TSV."""
    rng = np.random.default_rng(rng_seed)
    table = soft_runs(
        [
            (name, genre, seed, 0.3 + shift * (name == "other") + rng.normal(0, 0.005))
            for name in ("base", "other")
            for genre in GENRES
            for seed in range(seeds)
        ]
    )
    write_table(table, path)
    return path
