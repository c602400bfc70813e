"""How what a user waits for grows with the number of runs.

    python -m benchmarks.growth [--sizes 1000,10000,50000] [--epochs 10]
    python -m benchmarks.growth --folder RUNS --against CHECKOUT

For each size it prints CPU-seconds, the seconds on the clock and the most memory of each row, and
below them the exponent of growth in CPU-seconds between the smallest and the largest size: 1 is
linear. A shared machine lengthens what the clock says.

`--folder` takes a copy of runs that are there instead of made-up ones; `--against`
runs each command of another checkout's package right after this one's, on a copy of its own.

`files of an import` is the least that an import can take: the same folders and files, made by
nothing but system calls. On ext4 without a journal both take up to five times as long within
minutes after many files were removed, because the file system passes over their inodes.

`cold` is without the folder's cache. `filter word` types a word of six letters in the dashboard's
filter; `live epoch` is what the dashboard takes to show that a run has finished another epoch;
`hand out` is the queue's time for one run.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from postertui.runs.layout import EVENTS, SPEC
from postertui.supervisor.queue import QueuedRun, RunQueue
from tests.support.many_runs import write_runs

ROOT = Path(__file__).resolve().parents[1]
HANDED_OUT = 200

#: Rows to commands; `{table}` is a file that `export` has written, `{variant}` one of the runs'.
COMMANDS: dict[str, list[str]] = {
    "runs cold": ["runs"],
    "runs warm": ["runs"],
    "export": ["export", "-o", "{table}"],
    "import a table": ["import", "{table}"],
    "compare": ["compare", "--against", "{variant}"],
    "diagnose": ["diagnose"],
    "doctor": ["doctor"],
    "remove": ["rm", "--all", "--yes"],
    "undo": ["rm", "--undo"],
}


class Cost(NamedTuple):
    """CPU-seconds, seconds on the clock, and megabytes of memory where they were measured."""

    cpu: float
    wall: float
    megabytes: float | None = None

    def __str__(self) -> str:
        memory = "" if self.megabytes is None else f" {self.megabytes:5.0f} MB"
        return f"{format_seconds(self.cpu)} {format_seconds(self.wall)}{memory:9}"


def format_seconds(seconds: float) -> str:
    text = f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.3f} ms"
    return f"{text:>10}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--sizes", type=parse_sizes, default="1000,10000,50000", help="numbers of made-up runs"
    )
    parser.add_argument("--epochs", type=int, default=10, help="of each made-up run")
    parser.add_argument("--folder", type=Path, metavar="RUNS", help="runs in place of made-up ones")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another one, in turns")
    parser.add_argument("--only", default="", help="rows whose name has these words")
    arguments = parser.parse_args()
    if arguments.folder and not names_of_runs(arguments.folder):
        parser.error(f"--folder {arguments.folder}: there are no runs")
    if arguments.against and not (arguments.against / "postertui/__main__.py").is_file():
        parser.error(f"--against {arguments.against}: no checkout of postertui")
    if arguments.epochs < 1:
        parser.error("--epochs: at least 1")
    sizes: list[int] = arguments.sizes
    checkouts = {"here": ROOT} | ({"against": arguments.against} if arguments.against else {})
    costs: dict[str, list[Cost]] = {}
    print(f"{'runs':>8} {'':28} {'cpu':>10} {'clock':>10}")
    with tempfile.TemporaryDirectory(prefix="growth-") as temporary:
        for size in [0] if arguments.folder else sizes:
            runs_folder = arguments.folder or Path(temporary) / f"made-{size}"
            if not arguments.folder:
                write_runs(runs_folder, size, arguments.epochs)
            for row, cost in measure(runs_folder, Path(temporary), checkouts, arguments.only):
                costs.setdefault(row, []).append(cost)
                print(f"{size or runs_folder.name:>8} {row:28} {cost}", flush=True)
    if len(sizes) > 1 and not arguments.folder:
        print(f"\nexponent of growth from {sizes[0]} to {sizes[-1]} runs")
        for row, by_size in costs.items():
            growth = by_size[-1].cpu / by_size[0].cpu
            exponent = math.log(growth) / math.log(sizes[-1] / sizes[0])
            print(f"{row:28} {exponent:5.2f}")
    return 0


def parse_sizes(text: str) -> list[int]:
    """`1000,10000` as numbers, each once, the smallest first."""
    try:
        sizes = sorted({int(size) for size in text.split(",")})
    except ValueError:
        sizes = [0]
    if sizes[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: numbers of runs, with commas between them")
    return sizes


def names_of_runs(folder: Path) -> list[str]:
    """The names of the runs' folders; none where there is no such folder."""
    return [path.name for path in folder.glob("*--*") if not path.name.startswith(".")]


def measure(
    made: Path, temporary: Path, checkouts: dict[str, Path], only: str
) -> Iterator[tuple[str, Cost]]:
    """Every row's cost on the runs of `made`, one checkout after the other."""
    variants = {name.split("--")[1] for name in names_of_runs(made)}
    variant = "base" if "base" in variants else min(variants)
    folders = {}
    for label in checkouts:
        folders[label] = temporary / label / "runs"
        shutil.rmtree(folders[label].parent, ignore_errors=True)
        # Files outside `temporary` may be on another file system, or be written to meanwhile.
        copy = os.link if made.is_relative_to(temporary) else shutil.copy2
        shutil.copytree(made, folders[label], copy_function=copy, symlinks=True)
    for row, words in COMMANDS.items():
        for label, checkout in checkouts.items():
            folder = folders[label]
            if row == "runs cold":
                shutil.rmtree(folder / ".cache", ignore_errors=True)
            table = folder.parent / "table.tsv"
            target = folder.parent / "imported" if row == "import a table" else folder
            command = [word.format(table=table, variant=variant) for word in words]
            command += ["--runs", str(target)]
            cost = run_command(checkout, command)
            if only in row:
                yield row if len(checkouts) == 1 else f"{row} ({label})", cost
            if row == "import a table" and label == "here" and only in "files of an import":
                yield "files of an import", files_alone(target, folder.parent / "files-alone")
            shutil.rmtree(folder.parent / "imported", ignore_errors=True)
    if only in "dashboard filter word live epoch":
        for row, cold in (("dashboard cold", True), ("dashboard warm", False)):
            if cold:
                shutil.rmtree(folders["here"] / ".cache", ignore_errors=True)
            read, word, epoch = run_probe(folders["here"])
            yield row, read
        yield "filter word", word
        yield "live epoch", epoch
    if only in "hand out":
        count = sum(1 for path in made.iterdir() if not path.name.startswith("."))
        cost = timed(lambda: hand_out(count))
        yield "hand out", Cost(cost.cpu / HANDED_OUT, cost.wall / HANDED_OUT)


def run_command(checkout: Path, words: list[str]) -> Cost:
    """One command in a process of its own; what it prints goes nowhere."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "postertui", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: doctor found something amiss
        raise SystemExit(f"postertui {' '.join(words)}: did not run")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def files_alone(imported: Path, copy: Path) -> Cost:
    """Making a folder with two files for each imported run."""
    names = [path.name for path in imported.iterdir() if not path.name.startswith(".")]
    files = {name: (imported / names[0] / name).read_bytes() for name in (SPEC, EVENTS)}
    copy.mkdir(mode=0o700)
    try:
        fd = os.open(copy, os.O_RDONLY)
        cost = timed(lambda: make_folders(names, files, fd))
        os.close(fd)
    finally:
        shutil.rmtree(copy)
    return cost


def make_folders(names: list[str], files: dict[str, bytes], parent: int) -> None:
    """A folder of `files` for each name, made in the open folder `parent`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for name in names:
        os.mkdir(name, 0o700, dir_fd=parent)
        for file, content in files.items():
            fd = os.open(f"{name}/{file}", flags, 0o600, dir_fd=parent)
            os.write(fd, content)
            os.close(fd)


def run_probe(folder: Path) -> list[Cost]:
    """The dashboard headless: reading all runs, a word in the filter, a run's next epoch."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.growth_probe", str(folder)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [Cost(*map(float, line.split())) for line in result.stdout.splitlines()]


def hand_out(count: int) -> None:
    """Take `HANDED_OUT` runs from a queue of `count`."""
    queue = RunQueue()
    for number in range(count):
        queue.put(QueuedRun(f"run-{number}", f"genre-{number % 18}", float(number)))
    genre = None
    for _ in range(HANDED_OUT):
        if (entry := queue.first(genre)) is not None:
            queue.remove(entry.run)
            genre = entry.genre


def timed(call: Callable[[], object]) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


if __name__ == "__main__":
    sys.exit(main())
