"""LEET, the terminal dashboard of Weights & Biases, on runs that its own library wrote.

`python benchmarks/peer_leet.py FOLDER`, by an interpreter that has `wandb`, writes runs: each line
of standard input is a run's name and its rows, as JSON. After each it answers with a line. A name
that ends in `+` stays open: the rows of later lines of this name are added to it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self

#: Offline and without reports to its makers.
ENVIRONMENT = {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}

Rows = list[dict[str, float]]


class Writer:
    """A process that writes runs below `folder` as `wandb.init(mode="offline")` does."""

    def __init__(self, python: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [python, __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def write(self, name: str, rows: Rows) -> None:
        """Write a run, or rows of one that stays open; returns when the library has taken them."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, rows]) + "\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise RuntimeError("wandb did not write a run")


def version(python: str) -> str | None:
    """The version of wandb that the interpreter has; None where there is no LEET."""
    script = "import wandb, wandb.cli.leet; print(wandb.__version__)"
    try:
        result = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None


def command(python: str, folder: Path) -> list[str]:
    """What starts LEET on all runs of a folder."""
    return [python, "-m", "wandb", "leet", str(folder / "wandb")]


def _write_runs(folder: str, lines: Iterable[str]) -> None:
    import wandb  # type: ignore[import-not-found, unused-ignore]

    settings = wandb.Settings(console="off", x_disable_stats=True, silent=True)
    open_runs: dict[str, wandb.Run] = {}
    for line in lines:
        name, rows = json.loads(line)
        run = open_runs.get(name) or wandb.init(
            mode="offline", dir=folder, project="peers", name=name, settings=settings
        )
        for row in rows:
            run.log(row)
        if name.endswith("+"):
            open_runs[name] = run
        else:
            run.finish()
        print("written", flush=True)
    for run in open_runs.values():
        run.finish()


if __name__ == "__main__":
    _write_runs(sys.argv[1], sys.stdin)
