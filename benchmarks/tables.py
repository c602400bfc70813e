"""`python -m benchmarks.tables`: import of 400 logs and of a 500,000-row TSV, export of it.

The targets are 3 s and 5 s. Beside the wall time stands the processor time, which a busy machine
does not change as much, and the ratio of the import to only loading the table.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from postertui.history.from_runs import history_table
from postertui.history.reading import load_table
from postertui.history.writing import write_table
from postertui.importer import import_paths
from postertui.runs.store import Store


def make_logs(folder: Path, count: int) -> None:
    """`count` logs of 10 epochs, all different."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    keys = ("loss", "binary_accuracy", "fscore", "val_loss", "val_binary_accuracy", "val_fscore")
    for number in range(count):
        history = {key: rng.random(10).round(12).tolist() for key in keys}
        name = f"model-{number % 18}-256-256-{number}-history.txt"
        tail = "\nTrain conf matrix: 9 8 7 6\nTrain conf matrix: 9 8 7 6\n"
        (folder / name).write_text(repr(history) + tail)


def make_table(path: Path, histories: int, epochs: int) -> None:
    """A TSV of that many histories under the published columns, with some undefined metrics."""
    rng = np.random.default_rng(0)
    rows = histories * epochs
    history = np.repeat(np.arange(histories), epochs)
    sides = [f"{s}_{m}" for s in ("train", "test") for m in ("loss", "accuracy", "fscore")]
    table = pl.DataFrame(
        {
            "Regularizer": ["L1=1e-5"] * rows,
            "FC1": 1 + history % 5000,
            "FC2": [256] * rows,
            "genre": np.array(["Comedy", "Drama", "Horror"])[history % 3],
            "variant": ["base"] * rows,
            "epoch": np.tile(np.arange(1, epochs + 1), histories),
            **{side: rng.random(rows) for side in sides},
        }
    )
    defined = pl.when(pl.col("test_fscore") > 0.05).then(pl.col("test_fscore"))
    table.with_columns(defined.otherwise(float("nan")).alias("test_fscore")).write_csv(
        path, separator="\t"
    )


def timed(what: str, work: Callable[[], object]) -> float:
    wall, before = time.monotonic(), os.times()
    work()
    wall, after = time.monotonic() - wall, os.times()
    cpu = after.user - before.user + after.system - before.system
    print(f"{what:<52} {wall:6.2f} s wall {cpu:6.2f} s cpu")
    return wall


def main() -> int:
    argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_logs(folder / "logs", 400)
        make_table(folder / "big.tsv", 5000, 100)
        print("load average", *os.getloadavg())
        timed(
            "import 400 logs (target 3 s)",
            lambda: import_paths([folder / "logs"], folder / "runs-logs"),
        )
        load = timed("load a 500,000-row TSV", lambda: load_table(folder / "big.tsv"))
        whole = timed(
            "import it: 5,000 runs of 100 epochs (target 5 s)",
            lambda: import_paths([folder / "big.tsv"], folder / "runs"),
        )
        print(f"{'import / load':<52} {whole / load:6.2f}")
        timed(
            "import it again: nothing to add",
            lambda: import_paths([folder / "big.tsv"], folder / "runs"),
        )
        store = Store(folder / "runs")
        timed("read the 5,000 runs", store.refresh)
        runs = store.runs.values()
        timed(
            "export them as TSV",
            lambda: write_table(history_table(runs), folder / "out.tsv"),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
