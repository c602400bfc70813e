"""Beside TensorBoard on the same histories: the time until all curves are there, and the memory.

    python -m benchmarks.peers [--runs 200] [--epochs 20] [--repeat 3]

Made-up runs are written as postertui keeps them, and once more as TensorBoard's event files. Both
programs start anew in each repetition, in turns:

- postertui: its dashboard in a terminal of 160 x 48, from its start until the first painting with
  all runs read is complete. It draws the cells that the screen has room for.
- TensorBoard: `tensorboard --logdir`, from its start until its data service hands out every point
  of one metric of all runs (`/data/plugin/scalars/scalars_multirun`), as a browser would ask for.

Memory is the most that a program and its children took until then, sampled. TensorBoard loads
TensorFlow where that is installed, as it is beside postertui. Left out: what a browser adds to
TensorBoard, in time for drawing and in memory; the dashboard's analysis, which begins after the
curves; and LEET of Weights & Biases, which reads a format of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.dashboard_pty import Terminal
from postertui.history.selection import open_history
from postertui.history.tensorboard import write_event_files
from tests.support.many_runs import write_runs

ROOT = Path(__file__).resolve().parents[1]
TAG, COLUMN = "test/fscore_soft", "test_fscore_soft"
PATIENCE = 300.0
#: A painting is complete when nothing came for so long.
SILENCE = 0.3


class Cost(NamedTuple):
    """Seconds until all curves were there, and the most megabytes until then."""

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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    if importlib.util.find_spec("tensorboard") is None:
        print("TensorBoard is not installed: pip install 'postertui[tensorboard]'", file=sys.stderr)
        return 2
    costs: dict[str, list[Cost]] = {"postertui": [], "TensorBoard": []}
    with tempfile.TemporaryDirectory(prefix="peers-") as temporary:
        runs, events = Path(temporary, "runs"), Path(temporary, "events")
        write_runs(runs, arguments.runs, arguments.epochs)
        table = open_history(runs).table
        write_event_files(table, events)
        points = dict(table.drop_nulls(COLUMN).group_by("run").len().iter_rows())
        for _ in range(arguments.repeat):
            costs["postertui"].append(open_dashboard(runs, arguments.runs, Path(temporary)))
            costs["TensorBoard"].append(serve_events(events, points))
    print(f"{arguments.runs} runs of {arguments.epochs} epochs, median of {arguments.repeat}")
    medians = {name: _median(own) for name, own in costs.items()}
    for name, cost in medians.items():
        print(f"{name:12} all curves after {cost.seconds:6.2f} s, {cost.megabytes:6.0f} MB")
    ours, theirs = medians["postertui"], medians["TensorBoard"]
    print(
        f"TensorBoard / postertui: time {theirs.seconds / ours.seconds:.1f}, "
        f"memory {theirs.megabytes / ours.megabytes:.1f}"
    )
    print("Left out: what a browser adds to TensorBoard, in time and in memory; LEET (wandb).")
    return 0


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
        while time.monotonic() - terminal.arrived[-1][0] < SILENCE:
            time.sleep(0.01)
        return Cost(terminal.arrived[-1][0] - terminal.started, memory.stop())


def serve_events(events: Path, points: dict[str, int]) -> Cost:
    """TensorBoard until it hands out so many `points` of every run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", f"--logdir={events}", f"--port={port}"],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    memory = PeakMemory(process.pid)
    try:
        while served_points(port, list(points)) != points:
            if process.poll() is not None or time.monotonic() - began > PATIENCE:
                raise RuntimeError("TensorBoard did not hand out all points")
            time.sleep(0.02)
        return Cost(time.monotonic() - began, memory.stop())
    finally:
        memory.stop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def served_points(port: int, runs: list[str]) -> dict[str, int]:
    """How many points of each run TensorBoard hands out; empty before it listens."""
    form = urllib.parse.urlencode([("tag", TAG), *(("runs", run) for run in runs)]).encode()
    url = f"http://127.0.0.1:{port}/data/plugin/scalars/scalars_multirun"
    try:
        with urllib.request.urlopen(url, form, timeout=60) as answer:
            return {run: len(values) for run, values in json.load(answer).items()}
    except (urllib.error.URLError, OSError, ValueError):
        return {}


def _median(costs: list[Cost]) -> Cost:
    seconds, megabytes = zip(*costs, strict=True)
    return Cost(statistics.median(seconds), statistics.median(megabytes))


if __name__ == "__main__":
    sys.exit(main())
