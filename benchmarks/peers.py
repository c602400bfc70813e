"""Beside TensorBoard and LEET on the same histories: how soon curves and new epochs are there.

    python -m benchmarks.peers [--runs 200] [--epochs 20] [--repeat 3] [--wandb PYTHON]

Made-up runs are written as postertui keeps them, as TensorBoard's event files and, by an
interpreter PYTHON that has `wandb`, as Weights & Biases keeps them offline. The programs are
started again in each repetition, in turns:

- postertui: its dashboard in a terminal of 160 x 48, from its start until the first painting with
  all runs read is complete. It draws the cells that the screen has room for.
- TensorBoard: `tensorboard --logdir`, from its start until its data service hands out every point
  of one metric of all runs (`/data/plugin/scalars/scalars_multirun`), as a browser would ask for.
- LEET: `wandb leet FOLDER` in the same terminal. It shows the latest run at once; `Ctrl+A` and `y`
  lay all runs over it, and the painting is complete when nothing has come for a while.

New epochs are appended to one run, the time until each is on the screen (read 20 times a second),
or handed out by TensorBoard, which looks at its files every five seconds.

Memory is the most that a program and its children took until all curves were there, sampled.
TensorBoard loads TensorFlow where that is installed, as it is beside postertui. Left out: what a
browser adds to TensorBoard, in time for drawing and in memory; the dashboard's analysis, which
begins after the curves.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
import psutil

from benchmarks import peer_epochs, peer_leet
from benchmarks.dashboard_pty import Terminal
from benchmarks.peer_tensorboard import TensorBoard
from postertui.history.selection import open_history
from postertui.history.tensorboard import write_event_files
from tests.support.many_runs import write_runs

ROOT = Path(__file__).resolve().parents[1]
COLUMN = "test_fscore_soft"
PATIENCE = 300.0
#: A painting is complete when nothing came for so long.
SILENCE = 0.5


class Cost(NamedTuple):
    """Seconds until curves of one run and of all were there, and the most megabytes until then."""

    first: float
    seconds: float
    megabytes: float


class PeakMemory(threading.Thread):
    """The most memory of a process with its children, sampled until `stop`."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.megabytes = 0.0
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            total = 0
            with contextlib.suppress(psutil.Error):
                for process in (self._process, *self._process.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        total += process.memory_info().rss
            self.megabytes = max(self.megabytes, total / 1e6)

    def stop(self) -> float:
        self._ended.set()
        self.join()
        return self.megabytes


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=200, help="how many")
    parser.add_argument("--epochs", type=int, default=20, help="of each run")
    parser.add_argument("--repeat", type=int, default=3, help="how often each program is started")
    parser.add_argument("--wandb", metavar="PYTHON", help="an interpreter that has wandb, for LEET")
    arguments = parser.parse_args()
    if importlib.util.find_spec("tensorboard") is None:
        print("TensorBoard is not installed: pip install 'postertui[tensorboard]'", file=sys.stderr)
        return 2
    wandb: str | None = arguments.wandb
    wandb_version = peer_leet.version(wandb) if wandb else None
    if wandb and wandb_version is None:
        print(f"{wandb} has no wandb with LEET: pip install 'wandb>=0.31'", file=sys.stderr)
        return 2
    costs: dict[str, list[Cost]] = {"postertui": [], "TensorBoard": []}
    delays: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="peers-") as temporary:
        folder = Path(temporary)
        runs, events, offline = folder / "runs", folder / "events", folder / "wandb-runs"
        write_runs(runs, arguments.runs, arguments.epochs)
        table = open_history(runs).table
        write_event_files(table, events)
        points = dict(table.drop_nulls(COLUMN).group_by("run").len().iter_rows())
        if wandb:
            costs["LEET"] = []
            with peer_leet.Writer(wandb, offline) as writer:
                for name, rows in rows_by_run(table):
                    writer.write(name, rows)
        for _ in range(arguments.repeat):
            costs["postertui"].append(open_dashboard(runs, arguments.runs, folder))
            costs["TensorBoard"].append(serve_events(events, points))
            if wandb:
                costs["LEET"].append(open_leet(wandb, offline, folder))
        delays["postertui"] = peer_epochs.postertui(runs, folder)
        delays["TensorBoard"] = peer_epochs.tensorboard(events)
        if wandb:
            delays["LEET"] = peer_epochs.leet(wandb, offline, folder)
    print(f"{arguments.runs} runs of {arguments.epochs} epochs, median of {arguments.repeat}")
    print(f"{'':12} {'one run':>9} {'all runs':>9} {'memory':>9}   new epoch visible after")
    for name, own in costs.items():
        cost, seen = _median(own), delays[name]
        print(
            f"{name:12} {cost.first:7.2f} s {cost.seconds:7.2f} s {cost.megabytes:6.0f} MB   "
            f"{statistics.median(seen):.2f} s (most {max(seen):.2f} s of {len(seen)})"
        )
    print("Left out: what a browser adds to TensorBoard, in time and in memory.")
    if wandb:
        print(f"LEET of wandb {wandb_version}: all runs only after Ctrl+A and y.")
    else:
        print("LEET is left out: name an interpreter that has wandb with --wandb PYTHON.")
    return 0


def rows_by_run(table: pl.DataFrame) -> Iterator[tuple[str, peer_leet.Rows]]:
    """Each run's metrics by epoch, under TensorBoard's tags."""
    columns = [name for name in table.columns if name.startswith(("train_", "test_", "val_"))]
    for (run,), rows in table.sort("epoch").group_by("run", maintain_order=True):
        yield (
            str(run),
            [
                {name.replace("_", "/", 1): row[name] for name in columns if row[name] is not None}
                | {"epoch": row["epoch"]}
                for row in rows.iter_rows(named=True)
            ],
        )


def open_dashboard(runs: Path, count: int, home: Path) -> Cost:
    """The dashboard until it has painted with all `count` runs read."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
    }
    command = [sys.executable, "-m", "postertui", "--runs", str(runs)]
    with Terminal(command, environment=environment) as terminal:
        memory = PeakMemory(terminal.process.pid)
        terminal.expect(f"m{count} \x1b")  # `200 done` at the top, each word in its own colour
        terminal.wait(PATIENCE)
        seconds = quiet_since(terminal) - terminal.started
        return Cost(seconds, seconds, memory.stop())


def open_leet(python: str, folder: Path, home: Path) -> Cost:
    """LEET until it has painted the latest run, and then all."""
    environment = {**peer_leet.ENVIRONMENT, "HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with Terminal(peer_leet.command(python, folder), environment=environment) as terminal:
        memory = PeakMemory(terminal.process.pid)
        terminal.expect("test/")  # the title of a chart
        terminal.wait(PATIENCE)
        first = quiet_since(terminal) - terminal.started
        pressed = terminal.press(b"\x01")
        time.sleep(0.1)  # it takes the answer after it has asked
        terminal.press(b"y")
        time.sleep(SILENCE)
        cost = Cost(first, first + quiet_since(terminal) - pressed, memory.stop())
        os.killpg(terminal.process.pid, signal.SIGTERM)  # the screen is a process of its own
        return cost


def quiet_since(terminal: Terminal) -> float:
    """When the last output came, once nothing has come for `SILENCE`."""
    while time.monotonic() - terminal.arrived[-1][0] < SILENCE:
        time.sleep(0.01)
    return terminal.arrived[-1][0]


def serve_events(events: Path, points: dict[str, int]) -> Cost:
    """TensorBoard until it hands out so many `points` of every run."""
    with TensorBoard(events) as server:
        memory = PeakMemory(server.process.pid)
        first: float | None = None
        while (served := server.points(list(points))) != points:
            if first is None and any(served.values()):
                first = time.monotonic()
            server.check(PATIENCE)
            time.sleep(0.02)
        ended = time.monotonic()
        return Cost((first or ended) - server.started, ended - server.started, memory.stop())


def _median(costs: list[Cost]) -> Cost:
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
