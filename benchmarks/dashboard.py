"""How fast the dashboard is: `python -m benchmarks.dashboard [NAME…]`.

Everything runs in a real pseudo-terminal of 160 x 48. Ratios compare with a plain-text Textual
app that reads the same runs at the same pace (see `benchmarks.dashboard_plain`), measured in the
same call, the two in turns. A tick is the half second between two readings of the runs. The names
are those of the functions below; without any, all are measured.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from benchmarks.dashboard_live import LiveRuns
from benchmarks.dashboard_matrix import EPOCHS, describe, measure_matrix
from benchmarks.dashboard_pty import Terminal
from tests.support.many_runs import write_runs

TICK = 0.5
EPOCH = 0.1
SETTLE, MEASURE = 3.0, 10.0
LINK = 30_000
#: A pause in the output after which the screen counts as whole.
REST = 0.25
#: Down and up the table, along the epochs, to the cells, right and left, and back: each changes
#: something on the screen each time it is pressed.
KEYS = (b"j", b"k", b"[", b"[", b"]", b"\t", b"\x1b[C", b"\x1b[D", b"\t")


class Result(NamedTuple):
    what: str
    value: str
    target: str
    holds: bool


class Session(NamedTuple):
    """What one run of an app cost: per tick, and how late its event loop and its keys were."""

    cpu: float
    bytes: float
    lag: float
    answers: list[float]


def probe(folder: Path, kind: str) -> tuple[list[str], Path]:
    out = Path(tempfile.mkstemp(suffix=".json")[1])
    return [sys.executable, "-m", "benchmarks.dashboard_probe", str(folder), str(out), kind], out


def watch_live(
    kind: str,
    *,
    genres: int = 5,
    variants: int = 4,
    seeds: int = 1,
    period: float = EPOCH,
    rate: int | None = None,
    keys: Sequence[bytes] = (),
) -> Session:
    """`kind` of app over runs that go on, for `MEASURE` seconds after it has settled."""
    with tempfile.TemporaryDirectory() as place:
        live = LiveRuns(Path(place), genres, variants, seeds=seeds)
        live.advance(60)
        command, out = probe(Path(place), kind)
        try:
            with Terminal(command, rate=rate) as terminal:
                live.start(period)
                time.sleep(SETTLE + (2.0 if rate else 0.0))
                begun, cpu, sent = time.monotonic(), terminal.cpu_seconds(), terminal.total
                pressed = []
                pause = MEASURE / max(1, len(keys))
                for number, key in enumerate(keys):
                    pressed.append(terminal.press(key))
                    time.sleep(max(0.0, begun + (number + 1) * pause - time.monotonic()))
                time.sleep(max(0.0, begun + MEASURE - time.monotonic()))
                ended, cpu_ = time.monotonic(), terminal.cpu_seconds()
                ticks = (ended - begun) / TICK
                used, written = cpu_ - cpu, terminal.total - sent
                terminal.close()
                probe_record = json.loads(out.read_text())
                lags = [lag for when, lag in probe_record["lags"] if begun <= when <= ended]
                answers = []
                counts = [count for _, count in probe_record["keys"]]
                for when, count in zip_longest(pressed, counts):
                    arrival = None if count is None else terminal.arrival_of(count)
                    answers.append(arrival - when if arrival is not None else math.inf)
        finally:
            live.close()
            out.unlink(missing_ok=True)
    late = statistics.quantiles(lags, n=100)[98] if len(lags) > 2 else 0.0
    return Session(1000 * used / ticks, written / ticks, 1000 * late, answers)


def live_cells() -> list[Result]:
    """Twenty live cells, an epoch every 100 ms in each of them."""
    ratios, sizes, floors, spent = [], [], [], []
    for _ in range(3):
        plain, own = watch_live("plain"), watch_live("grid")
        ratios.append(own.cpu / plain.cpu)
        sizes.append(own.bytes)
        floors.append(plain.bytes)
        spent.append((own.cpu, plain.cpu))
    both = watch_live("both")
    ratio, size, floor = map(statistics.median, (ratios, sizes, floors))
    cpu = statistics.median(own for own, _ in spent)
    floor_cpu = statistics.median(plain for _, plain in spent)
    return [
        Result(
            "20 live cells: CPU a tick, to the plain app's",
            f"{ratio:.2f} x ({cpu:.0f} to {floor_cpu:.0f} ms)",
            "≤ 1.3 x",
            ratio <= 1.3,
        ),
        Result(
            "20 live cells: bytes a tick",
            f"{size / 1000:.1f} kB (plain {floor / 1000:.1f})",
            "≤ 15 kB",
            size <= 15_000,
        ),
        Result(
            "the same with the table beside the cells",
            f"{both.bytes / 1000:.1f} kB, {both.cpu:.0f} ms",
            "≤ 15 kB",
            both.bytes <= 15_000,
        ),
    ]


def slow_link() -> list[Result]:
    """The same over a link of 30 kB a second, with keys pressed all along."""
    own = watch_live("both", rate=LINK, keys=KEYS * 3)
    worst = 1000 * max(own.answers)
    late = f"{own.lag:.0f} ms"
    return [
        Result("30 kB/s: event loop p99", late, "< 250 ms", own.lag < 250),
        Result("30 kB/s: slowest key", f"{worst:.0f} ms", "< 300 ms", worst < 300),
    ]


def many_live() -> list[Result]:
    """Keys while 400 runs are live."""
    own = watch_live("both", genres=8, variants=8, seeds=7, period=2.0, keys=KEYS * 4)
    p95 = 1000 * statistics.quantiles(own.answers, n=20)[18]
    return [
        Result("448 live runs: key answered, p95", f"{p95:.0f} ms", "< 50 ms", p95 < 50),
        Result("448 live runs: CPU a tick", f"{own.cpu:.0f} ms", "", True),
    ]


def many_runs() -> list[Result]:
    """First paint, memory and idling with 5,000 finished runs."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "runs"
        write_runs(folder, 5000, 20)
        command = [sys.executable, "-m", "postertui", "--runs", str(folder)]
        home = {"XDG_STATE_HOME": place, "XDG_CONFIG_HOME": place}
        first_paints, whole, memory = [], [], []
        for _ in range(4):
            with Terminal(command, environment=home) as terminal:
                terminal.expect("Action")
                first_paints.append(terminal.wait() - terminal.started)
                frame = terminal.arrived[0][0] - terminal.started
                time.sleep(3)
                whole.append(rest_after(terminal, first_paints[-1]))
                before, begun = terminal.cpu_seconds(), time.monotonic()
                time.sleep(8)
                idle = (terminal.cpu_seconds() - before) / (time.monotonic() - begun)
                memory.append(terminal.memory())
        first, *again = first_paints
        warm = statistics.median(again)
    return [
        Result("5,000 runs: on the screen", f"{warm:.2f} s", "< 1 s", warm < 1),
        Result("  with all curves", f"{statistics.median(whole[1:]):.2f} s", "", True),
        Result("  the very first time", f"{first:.2f} s", "", True),
        Result("  first bytes", f"{frame:.2f} s", "", True),
        memory_result("5,000 runs: memory", max(memory[1:])),
        memory_result("  the very first time", memory[0]),
        Result("5,000 runs: idle", f"{100 * idle:.2f} % of a core", "< 1 %", idle < 0.01),
    ]


def memory_result(what: str, most: int) -> Result:
    return Result(what, f"{most / 1e6:.0f} MB", "< 200 MB", most < 200e6)


def matrix() -> list[Result]:
    """The matrix over 5,000 runs of 100 epochs, while two more runs train."""
    delays, cpu = measure_matrix()
    median = statistics.median(delays)
    what = f"5,000 runs of {EPOCHS} epochs: matrix"
    return [
        Result(f"{what} after an epoch", describe(delays), f"< {TICK} s", median < TICK),
        Result("  CPU an epoch", f"{1000 * cpu:.0f} ms", "", True),
    ]


def rest_after(terminal: Terminal, seconds: float) -> float:
    """When nothing came for a while, after the first `seconds`; in seconds after the start."""
    last = terminal.started + seconds
    for when, _ in list(terminal.arrived):
        if last <= when < last + REST:
            last = when
    return last - terminal.started


def command_help() -> list[Result]:
    """`postertui --help`, to a Python that does nothing."""
    own: list[float] = []
    bare: list[float] = []
    for _ in range(7):
        for command, into in (
            ([sys.executable, "-m", "postertui", "--help"], own),
            ([sys.executable, "-c", ""], bare),
        ):
            begun = time.monotonic()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            into.append(time.monotonic() - begun)
    took, floor = statistics.median(own), statistics.median(bare)
    text = f"{took:.3f} s ({took / floor:.1f} x an empty Python)"
    return [Result("postertui --help", text, "< 0.25 s", took < 0.25)]


MEASUREMENTS: dict[str, Callable[[], list[Result]]] = {
    f.__name__: f for f in (live_cells, slow_link, many_live, many_runs, matrix, command_help)
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    names = parser.parse_args().names or list(MEASUREMENTS)
    if unknown := set(names) - MEASUREMENTS.keys():
        parser.error(f"no {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    missed = 0
    for name in names:
        for result in MEASUREMENTS[name]():
            mark = "" if not result.target else "  holds" if result.holds else "  MISSED"
            missed += bool(result.target) and not result.holds
            print(f"{result.what:<48} {result.value:<32} {result.target:<10}{mark}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
