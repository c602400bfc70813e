"""How often the verdicts of `compare` and `check` are wrong, and how often they see a difference.

    python -m benchmarks.calibration [--repeats 400] [--runs DIR_OR_TABLE] [--only WORD]

Simulated studies in which every variant is the same, and such in which they differ; and, with
`--runs`, real runs: random splits of the seeds of one setting, which are the same by construction.
Each number comes with its simulation error (one standard deviation). A verdict at 5 % may be wrong
in 6 % at most, an interval at 95 % must cover in 94 % at least.
"""

from __future__ import annotations

import argparse
import itertools
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--runs", type=Path, action="append", default=[])
    parser.add_argument("--only", default="")
    parser.add_argument("--no-simulation", action="store_true")
    args = parser.parse_args()
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
        for seeds, correlation in itertools.product((1, 3, 5, 10), (0.0, 0.8)):
            rate = false_alarms(seeds, correlation, args.repeats)
            print(f"false alarms of diagnose, {seeds} seeds, autocorrelation {correlation}: {rate}")
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
