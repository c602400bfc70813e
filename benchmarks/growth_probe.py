"""The dashboard on a runs folder, headless, for `benchmarks.growth`.

Prints CPU-seconds, seconds on the clock and the most megabytes, on a line for reading all runs and
on one for a typed word.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.support import dashboard_driver

WORD = "comedy"


async def probe(folder: Path) -> None:
    total = sum(1 for path in folder.iterdir() if not path.name.startswith("."))
    began = times()
    async with dashboard_driver.dashboard(folder, (160, 48)) as driver:
        model = driver.app.context.model
        await driver.until(lambda: len(model.runs) == total, "all runs read")
        await driver.settle()
        print_cost(began)
        await driver.press("slash")
        began = times()
        for letter in WORD:
            await driver.pilot.press(letter)
        await driver.until(lambda: model.options.filter == WORD, "the filter applied")
        await driver.settle()
        print_cost(began)


def times() -> tuple[float, float]:
    """CPU-seconds and seconds on the clock."""
    return time.process_time(), time.perf_counter()


def print_cost(began: tuple[float, float]) -> None:
    cpu, wall = (now - then for now, then in zip(times(), began, strict=True))
    print(cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> int:
    dashboard_driver.PATIENCE = 600.0
    with tempfile.TemporaryDirectory(prefix="growth-probe-") as home:
        os.environ |= {"XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}
        asyncio.run(probe(Path(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
