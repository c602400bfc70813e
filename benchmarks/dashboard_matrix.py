"""How soon the summary's matrix shows an epoch that has ended, of 5,000 runs of 100 epochs."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.dashboard_live import LiveRuns
from postertui.dashboard.app import DashboardApp
from postertui.dashboard.setup import Setup
from postertui.dashboard.state.view_options import ViewOptions
from tests.support.many_runs import write_runs

RUNS, EPOCHS = 5000, 100
#: So many epochs are waited for, each longer than the analysis of all runs takes.
SAMPLES, PAUSE = 12, 1.7


def measure_matrix(runs: int = RUNS) -> tuple[list[float], float]:
    """Seconds from an epoch's event to the matrix that shows it, and CPU seconds for each."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "runs"
        write_runs(folder, runs, EPOCHS)
        live = LiveRuns(folder, 1, 2)
        try:
            return asyncio.run(_watch(folder, live))
        finally:
            live.close()


async def _watch(folder: Path, live: LiveRuns) -> tuple[list[float], float]:
    live.advance(3)
    none = folder.parent / "none"
    app = DashboardApp(Setup(folder, none, none), ViewOptions(layout="summary"))
    async with app.run_test(size=(160, 48)) as pilot:
        while not app.model.summary.epoch:
            await pilot.pause(0.1)
        await asyncio.sleep(3.0)
        delays, cpu = [], time.process_time()
        for _ in range(SAMPLES):
            live.advance()
            written = time.monotonic()
            while _shown_epoch(app) < live._at:
                await asyncio.sleep(0.005)
            delays.append(time.monotonic() - written)
            await asyncio.sleep(PAUSE)
        return delays, (time.process_time() - cpu) / SAMPLES


def _shown_epoch(app: DashboardApp) -> int:
    """The epoch of the live runs that the matrix holds."""
    runs = app.main.matrix.matrix.runs
    return max((r.epoch for cell in runs.values() for r in cell if r.state == "running"), default=0)


def describe(delays: list[float]) -> str:
    return f"{statistics.median(delays):.2f} s, at most {max(delays):.2f}"
