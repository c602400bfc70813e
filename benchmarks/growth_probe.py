"""The dashboard on a runs folder, headless, for `benchmarks.growth`.

Prints CPU-seconds, seconds on the clock and the most megabytes, on a line each for reading all
runs, for a typed word, and for an epoch that a run has finished.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from postertui.dashboard.state.run_view import RunView
from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.runs.lock import RunLock
from postertui.supervisor import requests
from tests.support import dashboard_driver

WORD = "comedy"
EPOCHS = 5

Times = tuple[float, float]


async def probe(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    began = times()
    async with dashboard_driver.dashboard(folder, (160, 48)) as driver:
        model = driver.app.context.model
        await driver.until(lambda: len(model.runs) == len(names), "all runs read")
        await driver.settle()
        print_cost(began)
        await driver.press("slash")
        began = times()
        for letter in WORD:
            await driver.pilot.press(letter)
        await driver.until(lambda: model.options.filter == WORD, "the filter applied")
        await driver.settle()
        print_cost(began)
        await driver.press("escape")
        await driver.until(lambda: not model.options.filter, "the filter cleared")
        await live_epochs(driver, folder / names[0])


async def live_epochs(driver: dashboard_driver.Driver, run: Path) -> None:
    """Start the done run `run` again, and let it finish some epochs while the dashboard looks."""
    runs = driver.app.context.model.runs
    # The file may be a hard link to that of other folders.
    events = run / layout.EVENTS
    shutil.copy2(events, run / "copy")
    (run / "copy").replace(events)
    with RunLock(run) as lock, EventWriter(events) as writer:
        assert lock.acquire()
        writer.append("requeue")
        writer.attempt += 1
        writer.append("start", from_epoch=1)
        requests.notify(run.parent)
        await driver.until(lambda: runs[run.name].state == "running", "the run at work")
        await driver.settle()
        began = times()
        for epoch in range(1, EPOCHS + 1):
            writer.append("epoch", epoch=epoch, test_fscore_soft=epoch / EPOCHS)
            await driver.until(partial(has_reached, runs, run.name, epoch), "the epoch")
            await driver.settle()
        print_cost(began, EPOCHS)


def has_reached(runs: Mapping[str, RunView], name: str, epoch: int) -> bool:
    return runs[name].epoch == epoch


def times() -> Times:
    """CPU-seconds and seconds on the clock."""
    return time.process_time(), time.perf_counter()


def print_cost(began: Times, count: int = 1) -> None:
    """Print what each of `count` things took."""
    cpu, wall = ((now - then) / count for now, then in zip(times(), began, strict=True))
    print(cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> int:
    dashboard_driver.PATIENCE = 600.0
    with tempfile.TemporaryDirectory(prefix="growth-probe-") as home:
        os.environ |= {"XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}
        asyncio.run(probe(Path(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
