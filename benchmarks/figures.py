"""How fast figures are drawn, beside R where it is there, and whether they are R's.

    python -m benchmarks.figures [--table TABLE] [--repeats N] [--single] [--no-gate]

TABLE is a published history table (default: `../shared/data/published/model_perf.tsv`). Where
`Rscript` with ggplot2 is installed, `figures.R` draws the same figures; the two take turns, and
ratios are of runs next to each other, so that a busy machine is busy for both. Every run is a
cold start: a new process and an empty folder, with bytecode on the disk as both have it once they
are installed. `--single` takes each of the fifteen by itself. The gate holds what plotnine builds
against what ggplot2 builds on this machine, for all fifteen.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks/figures.R"
TABLE = ROOT.parent / "shared/data/published/model_perf.tsv"
PROGRAM = (sys.executable, "-c", "from postertui.cli import main; main()", "report")


@dataclass(frozen=True)
class Task:
    """The same work for both: arguments of `postertui report`, and of `figures.R`."""

    title: str
    python: tuple[str, ...]
    figures: tuple[str, ...]


TASKS = (
    Task("all fifteen", ("--all", "--strict-published"), ()),
    Task("--compare Regularizer", ("--compare", "Regularizer"), ("compare-regularizer",)),
    Task("--figure l1", ("--figure", "l1", "--strict-published"), ("l1",)),
    Task("--figure test-loss", ("--figure", "test-loss", "--strict-published"), ("test-loss",)),
)


@dataclass(frozen=True)
class Cost:
    """Seconds of one run: on the clock, and of processors."""

    wall: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--single", action="store_true", help="each of the fifteen by itself")
    parser.add_argument("--no-gate", action="store_true")
    options = parser.parse_args()
    if not options.table.exists():
        sys.exit(f"{options.table}: no such file; name a published table with --table")
    processors = len(os.sched_getaffinity(0))
    r = find_r()
    print(f"{processors} processors, load {os.getloadavg()[0]:.1f}; R: {r or 'not installed'}\n")
    with tempfile.TemporaryDirectory() as folder:
        tasks = single_tasks() if options.single else TASKS
        compare_speed(tasks, options.table, Path(folder), options.repeats, has_r=r is not None)
        if r is not None and not options.no_gate:
            print()
            hold_against_r(options.table, Path(folder) / "built")


def find_r() -> str | None:
    """The versions of R and ggplot2; None without either."""
    if shutil.which("Rscript") is None:
        return None
    command = "cat(R.version.string, 'ggplot2', format(packageVersion('ggplot2')))"
    done = subprocess.run(["Rscript", "-e", command], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def single_tasks() -> list[Task]:
    from postertui.figures.published import published_names

    return [
        Task(f"--figure {name}", ("--figure", name, "--strict-published"), (name,))
        for name in published_names()
    ]


def compare_speed(
    tasks: Sequence[Task], table: Path, folder: Path, repeats: int, *, has_r: bool
) -> None:
    """One line per task: medians in seconds, and the medians of the ratios of neighbours."""
    print(f"{'':30}{'postertui':>18}{'R':>18}{'ratio':>16}{'unchanged':>11}")
    print(f"{'':30}{'wall':>9}{'cpu':>9}{'wall':>9}{'cpu':>9}{'wall':>8}{'cpu':>8}{'wall':>11}")
    for task in tasks:
        ours, theirs, again = [], [], []
        for _ in range(repeats):
            out = folder / "out"
            command = (*PROGRAM, *task.python, "--from", str(table), "--out", str(out))
            shutil.rmtree(out, ignore_errors=True)
            ours.append(measure(command))
            again.append(measure(command))
            if has_r:
                drawing = ("Rscript", str(SCRIPT), "draw", str(table), str(folder / "r"))
                theirs.append(measure((*drawing, *task.figures)))
        line = f"{task.title:30}{_mid(ours, wall):9.2f}{_mid(ours, cpu):9.2f}"
        if theirs:
            pairs = list(zip(ours, theirs, strict=True))
            ratios = [median(part(a) / part(b) for a, b in pairs) for part in (wall, cpu)]
            line += f"{_mid(theirs, wall):9.2f}{_mid(theirs, cpu):9.2f}"
            line += f"{ratios[0]:8.2f}{ratios[1]:8.2f}"
        else:
            line += f"{'-':>9}{'-':>9}{'-':>8}{'-':>8}"
        print(f"{line}{_mid(again, wall):11.2f}", flush=True)


def measure(command: Sequence[str]) -> Cost:
    """What a process and those that it waits for cost. Ends the benchmark where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
    elapsed = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(elapsed, used)


def wall(cost: Cost) -> float:
    return cost.wall


def cpu(cost: Cost) -> float:
    return cost.cpu


def _mid(costs: Sequence[Cost], part: Callable[[Cost], float]) -> float:
    return median(part(cost) for cost in costs)


def hold_against_r(table: Path, folder: Path) -> None:
    """The gate of `tests/figures/built.py`, for all fifteen, against R on this machine."""
    import postertui
    from postertui.figures.published import published_names
    from tests.support.ggplot2_built import differences, read_reference

    subprocess.run(["Rscript", str(SCRIPT), "build", str(table), str(folder)], check=True)
    history = postertui.read_table(table)
    for name in published_names():
        record, marks = read_reference(folder, name)
        unlike = differences(postertui.draw(name, history, strict=True), record, marks)
        verdict = f"{len(unlike)} differences: {unlike[0]}" if unlike else "equal"
        print(f"{name:22}{len(record['panels']):4} panels {len(marks):6} marks  {verdict}")


if __name__ == "__main__":
    main()
