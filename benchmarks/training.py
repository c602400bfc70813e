"""How near training comes to what the machine can do: every target of its speed and memory.

    python -m benchmarks.training [NAME...]

Each measurement has a process of its own, on one core with one thread; times are CPU-seconds, set
against the same process's own matmul peak, but for `model.fit`, a job's start and two jobs, which
are measured by the clock and want an idle machine. NAMEs narrow it: head fit extraction start
warm throughput wide frozen-17 frozen-16 scratch. Under six minutes on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
NAMES = (
    "head",
    "fit",
    "extraction",
    "start",
    "warm",
    "wide",
    "frozen-17",
    "frozen-16",
    "scratch",
    "throughput",
)

#: Images that pass through VGG16 in a run of 2017: both cohorts, in each of ten epochs.
IMAGES_2017 = 10 * (21_490 + 21_651)

Measured = dict[str, Any]


class Row(NamedTuple):
    """One line of the table: what was measured, what it came to, what was wanted."""

    what: str
    value: str
    target: str
    holds: bool | None


def start(name: str, folder: Path, core: int) -> subprocess.Popen[str]:
    # What a process has beside its one thread for computing may run on another core.
    cores = os.sched_getaffinity(0) if name in ("fit", "start") else {core}
    environment = {
        **os.environ,
        "POSTERTUI_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.training_measures", name, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def result_of(process: subprocess.Popen[str], name: str) -> Measured:
    output, _ = process.communicate()
    if process.returncode or not output:
        raise SystemExit(f"{name}: the measurement ended with {process.returncode}")
    return dict(json.loads(output.splitlines()[-1]))


def measure(name: str, folder: Path, core: int) -> Measured:
    return result_of(start(name, folder / name, core), name)


def measure_throughput(folder: Path, cores: list[int]) -> Measured:
    """One job alone, then one on each of two cores, begun at the same moment."""
    walls, seconds = [], []
    for jobs in ([cores[0]], cores[:2]):
        processes = [start("throughput", folder / f"job-{core}", core) for core in jobs]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        measured = [result_of(process, "throughput") for process in processes]
        walls.append(max(m["wall"] for m in measured))
        seconds.append(sum(m["seconds"] for m in measured) / len(measured))
    return {"by_wall": 2 * walls[0] / walls[1], "by_cpu": 2 * seconds[0] / seconds[1]}


def rows_of(found: dict[str, Measured]) -> list[Row]:
    rows = []
    if run := found.get("head"):
        ratio = run["seconds"] / run["bound"]
        rows.append(
            Row(
                "FC 256/256, 10 epochs, 21,490 + 21,651: CPU-s / bound at matmul peak",
                f"{run['seconds']:.2f} / {run['bound']:.2f} = {ratio:.2f}x",
                "<= 1.6x",
                ratio <= 1.6,
            )
        )
        rows.append(Row("  compiling the shape once, CPU-s", f"{run['compile']:.1f}", "", None))
        rows.append(Row("  peak memory, GB", f"{run['memory']:.2f}", "< 1.2", run["memory"] < 1.2))
        if fit := found.get("fit"):
            for more, metrics in (("", "two metrics"), ("more_", "the metrics of our columns")):
                wall, seconds = fit[f"{more}wall"], fit[f"{more}seconds"]
                ratio = wall / run["wall"]
                value = f"{wall:.2f} / {run['wall']:.2f} = {ratio:.2f}x"
                what = f"  model.fit with {metrics}, s"
                rows.append(Row(what, value, ">= 2.2x", ratio >= 2.2))
                by_cpu = f"{seconds:.2f} / {run['seconds']:.2f} = {seconds / run['seconds']:.2f}x"
                rows.append(Row("    the same in CPU-s", by_cpu, "", None))
        if extraction := found.get("extraction"):
            old = IMAGES_2017 * extraction["per_image"]
            ratio = old / run["seconds"]
            value = f"{old:,.0f} / {run['seconds']:.2f} = {ratio:,.0f}x"
            rows.append(
                Row(
                    "  VGG16 over both cohorts each epoch, as in 2017",
                    value,
                    ">= 1,000x",
                    ratio >= 1000,
                )
            )
    if extraction := found.get("extraction"):
        share = extraction["bound"] / extraction["seconds"]
        rows.append(
            Row(
                "Feature extraction: share of matmul peak",
                f"{share:.0%} ({1 / extraction['per_image']:.0f} images a CPU-s)",
                ">= 85%",
                share >= 0.85,
            )
        )
    if begun := found.get("start"):
        what = "A job from its start to its first epoch: s; with code compiled before"
        value = f"{begun['cold']:.2f}; {begun['warm']:.2f}"
        rows.append(Row(what, value, "< 3 s", begun["warm"] < 3))
    if warm := found.get("warm"):
        rows.append(
            Row(
                "One more warm run beyond its compute: s, CPU-s",
                f"{warm['beyond_wall']:.3f}, {warm['beyond_cpu']:.3f}",
                "< 0.15 s",
                warm["beyond_wall"] < 0.15,
            )
        )
        value = f"{warm['growth']:+.1%} (peak {warm['memory']:.2f} GB)"
        rows.append(Row("  memory over 200 runs", value, "< 5%", warm["growth"] < 0.05))
    for name in ("frozen-17", "frozen-16", "scratch", "wide"):
        if run := found.get(name):
            ratio = run["seconds"] / run["bound"]
            title = "4096/4096" if name == "wide" else name
            value = f"{run['seconds']:.2f} / {run['bound']:.2f} = {ratio:.2f}x"
            what = f"{title}: {run['rows']:,} posters trained and tested"
            limit = 1.8 if name == "scratch" else 2
            rows.append(Row(what, value, f"<= {limit}x", ratio <= limit))
            value = f"{run['memory']:.2f} (compile {run['compile']:.0f} CPU-s)"
            rows.append(Row("  peak memory, GB", value, "< 4", run["memory"] < 4))
            rows.append(Row("  a whole epoch, CPU-s", f"{run['epoch']:.0f}", "", None))
    if two := found.get("throughput"):
        rows.append(
            Row(
                "Two jobs on two cores against one: by wall clock, by CPU-s",
                f"{two['by_wall']:.2f}x, {two['by_cpu']:.2f}x",
                ">= 1.8x",
                two["by_wall"] >= 1.8,
            )
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    cores = sorted(os.sched_getaffinity(0))
    found: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(f"measuring {name} ...", end="", file=sys.stderr, flush=True)
            if name == "throughput":
                if len(cores) > 1:
                    found[name] = measure_throughput(Path(folder), cores)
            else:
                found[name] = measure(name, Path(folder), cores[0])
            print(f" {found.get(name)}", file=sys.stderr, flush=True)
    peaks = [m["peak"] / 1e9 for m in found.values() if "peak" in m]
    if peaks:
        print(f"matmul peak, one thread: {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s\n")
    rows = rows_of(found)
    widths = [max(map(len, column)) for column in zip(*(row[:3] for row in rows), strict=True)]
    for row in rows:
        verdict = {True: "holds", False: "MISSED", None: ""}[row.holds]
        padded = [text.ljust(width) for text, width in zip(row[:3], widths, strict=True)]
        print("  ".join([*padded, verdict]).rstrip())


if __name__ == "__main__":
    main()
