"""How a runs folder of 5,000 finished runs of 100 epochs behaves.

    python -m benchmarks.scale [--runs 5000] [--epochs 100]

`postertui runs`, cold    the command as a person starts it, without what it remembers, the
                          files dropped from the system's cache
`postertui runs`, warm    the same again
queue                     2,000 more runs, as `postertui train` writes them
supervisor                its share of a core and its memory while one run trains and all else
                          is finished
event to reader           from the job's append to a reader that looks every 50 ms, as the
                          dashboard does; p50 and p99
bare read                 for comparison: every events file read from start to end in Python
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from postertui.runs.spec import RunSpec
from postertui.runs.store import Store
from postertui.study import Variant
from postertui.supervisor import requests
from postertui.supervisor.plan import queue
from tests.support.many_runs import spec as finished_spec
from tests.support.many_runs import write_runs
from tests.support.specs import made_spec

ROOT = Path(__file__).resolve().parents[1]
QUEUED = 2000

#: Seconds between two looks of the reader.
LOOK = 0.05

#: Seconds over which the supervisor is measured: one whole look at the folder is among them.
WATCHED = 35.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="keep the runs here, to measure again")
    arguments = parser.parse_args()
    os.environ["POSTERTUI_TRAINER"] = "tests.support.cheap_trainer:CheapTrainer"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        folder = arguments.folder or Path(temporary) / "runs"
        if not folder.is_dir():
            write_runs(folder, arguments.runs, arguments.epochs)
        print(f"{arguments.runs} runs of {arguments.epochs} epochs, {os.cpu_count()} cores")
        measure_listing(folder)
        measure_supervisor(folder)
        measure_queueing(folder, arguments.runs, arguments.epochs)
    return 0


def measure_listing(folder: Path) -> None:
    import shutil

    bare = timed(lambda: [p.read_bytes() for p in folder.glob("*/events.jsonl")])
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    forget(folder)
    cold = timed(lambda: listing(folder))
    warm = [timed(lambda: listing(folder)) for _ in range(5)]
    start = statistics.median(timed(lambda: listing(folder.parent / "none")) for _ in range(5))
    print(f"postertui runs    cold {cold:.2f} s, warm {statistics.median(warm):.2f} s")
    print(f"                  of which starting {start:.2f} s; bare read {bare:.2f} s")


def forget(folder: Path) -> None:
    """Let the system drop what it keeps of the files in memory."""
    os.sync()
    for path in folder.glob("*/*"):
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def listing(folder: Path) -> None:
    command = [sys.executable, "-m", "postertui", "runs", "--runs", str(folder)]
    subprocess.run(command, capture_output=True, check=False)


def measure_supervisor(folder: Path) -> None:
    """The supervisor beside one run of an epoch every 100 ms, and how soon its epochs are seen."""
    os.environ["CHEAP_SECONDS"] = "0.1"
    store = Store(folder)
    store.refresh()
    seconds = int(WATCHED)
    run = live_spec(epochs=100 * seconds)
    queue(folder, [run])
    requests.ensure_supervisor(folder, jobs=1)
    while not (run.run in store.runs and store.runs[run.run].epoch):
        store.refresh()
    pid = requests.status(folder).pid
    assert pid is not None
    supervisor = psutil.Process(pid)
    before, began = supervisor.cpu_times(), time.monotonic()
    delays: list[float] = []
    count = store.runs[run.run].epoch
    refreshing = 0.0
    while time.monotonic() - began < WATCHED:
        time.sleep(LOOK)
        look = time.monotonic()
        store.refresh()
        refreshing += time.monotonic() - look
        now = time.time()
        epochs = store.runs[run.run].epochs
        for epoch in epochs[count:]:
            delays.append(now - epoch["time"])
        count = len(epochs)
    elapsed, after = time.monotonic() - began, supervisor.cpu_times()
    used = (after.user + after.system - before.user - before.system) / elapsed
    memory = supervisor.memory_info().rss
    requests.cancel(folder, [run.run])
    supervisor.send_signal(signal.SIGTERM)
    supervisor.wait(30)
    delays.sort()
    p99 = delays[int(len(delays) * 0.99)]
    print(f"supervisor        {used:.1%} of a core, {memory >> 20} MB")
    print(
        f"event to reader   p50 {statistics.median(delays) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms "
        f"({len(delays)} epochs; a look takes {refreshing / (elapsed / LOOK) * 1000:.1f} ms)"
    )


def measure_queueing(folder: Path, runs: int, epochs: int) -> None:
    specs = [finished_spec(runs + number, epochs) for number in range(QUEUED)]
    took = timed(lambda: queue(folder, specs))
    print(f"queue             {QUEUED} runs in {took:.2f} s")


def live_spec(epochs: int) -> RunSpec:
    return made_spec(Variant(name="base", epochs=epochs), seed=int(time.time()))


def timed(what: object) -> float:
    began = time.monotonic()
    assert callable(what)
    what()
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
