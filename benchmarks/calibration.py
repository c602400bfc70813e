"""How often the verdicts of `compare` and `check` are wrong, and how often they see a difference.

    python -m benchmarks.calibration [--repeats 100] [--only WORD] [--runs DIR_OR_TABLE]
    python -m benchmarks.calibration --train DATA --weights FILE --runs DIR --no-simulation

Simulated studies in which every variant is the same, and such in which they differ; and, with
`--runs`, real runs: random splits of the seeds of one setting, which are the same by construction.
`--train` makes these anew, or as far as they are missing: 8 genres, 4 variants, 10 seeds on a data
folder, a second each. The whole grid takes ten minutes of a processor for 100 repeats. Each number
comes with its simulation error (one standard deviation). A verdict at 5 % may be wrong in 6 % at
most, an interval at 95 % must cover in 94 % at least.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from postertui import read_table
from tests.support.calibration import NAMES, Scenario, false_alarms, real_splits, simulate


def scenarios() -> Iterator[Scenario]:
    """The grid of sizes with equal noise, and each complication at several sizes."""
    for variants, genres, seeds in itertools.product((2, 6, 25), (1, 3, 10), (1, 2, 3, 5)):
        yield Scenario(variants, genres, seeds)
    for variants, genres, seeds in itertools.product((2, 6, 25), (1, 3, 10), (2, 3, 5)):
        if genres > 1:
            yield Scenario(variants, genres, seeds, genre_spread=3)
        yield Scenario(variants, genres, seeds, noisy=3)
        yield Scenario(variants, genres, seeds, shared_by="genre")
        if genres > 1:
            yield Scenario(variants, genres, seeds, shared_by="all")
    for shared_by, seeds in itertools.product(("", "all"), (3, 5)):
        for variants, genres in ((2, 3), (6, 3), (6, 10)):
            yield Scenario(variants, genres, seeds, shared_by=shared_by, lost=1)
            yield Scenario(variants, genres, seeds, shared_by=shared_by, reference_seeds=10)


def train(data: Path, weights: str, runs: Path) -> None:
    """Train what is missing of the runs whose seeds are split."""
    genres = ["Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Romance", "Thriller"]
    variants = ["base", "bce", "l2-1e-4", "fc-256x64"]
    command = [sys.executable, "-m", "postertui", "train", "--foreground", "--jobs", "1"]
    command += ["--data", str(data), "--runs", str(runs), "--weights", weights, "--seeds", "10"]
    command += ["--train-cohorts", "0,1,3,4", "--test-cohorts", "2,6", "--val-cohorts", "none"]
    for option, values in (("--genre", genres), ("--variant", variants)):
        command += itertools.chain.from_iterable((option, value) for value in values)
    subprocess.run(command, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--runs", type=Path, action="append", default=[])
    parser.add_argument("--only", default="")
    parser.add_argument("--train", type=Path, metavar="DATA")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--no-simulation", action="store_true")
    args = parser.parse_args()
    if args.train is not None:
        if len(args.runs) != 1:
            parser.error("--train needs one --runs DIR to train into")
        train(args.train, args.weights, args.runs[0])
    if not args.no_simulation:
        print(f"{'':58}" + "".join(f"{name:>18}" for name in NAMES))
    for scenario in () if args.no_simulation else scenarios():
        if args.only not in scenario.label:
            continue
        # More repeats where a study has fewer rows.
        repeats = int(args.repeats * (5 if scenario.variants == 2 else 1))
        rates = simulate(scenario, repeats)
        print(f"{scenario.label:58}" + "".join(f"{rates[n]!s:>18}" for n in NAMES), flush=True)
    if not args.no_simulation:
        for seeds, epochs, correlation in itertools.product((1, 2, 3, 5), (5, 10), (0.0, 0.8)):
            rate = false_alarms(seeds, correlation, 10 * args.repeats, epochs=epochs)
            print(
                f"false alarms of diagnose, {seeds} seeds, {epochs} epochs, autocorrelation "
                f"{correlation}: {rate}"
            )
    for place in args.runs:
        table = read_table(place)
        rng = np.random.default_rng(0)
        for sizes in ((5, 5), (3, 3), (2, 2), (1, 5)):
            rates = real_splits(table, sizes, args.repeats, rng)
            print(
                f"{place}: {sizes[0]} v {sizes[1]}: "
                + ", ".join(f"{name} {str(rate).strip()}" for name, rate in rates.items()),
                flush=True,
            )


if __name__ == "__main__":
    main()
