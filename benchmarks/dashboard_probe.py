"""The dashboard, or the plain app, with an eye on its event loop: `… RUNS OUT [plain|LAYOUT]`.

When it ends it writes to OUT how late the event loop was, sampled every 10 ms, and for each key
how many bytes had gone to the terminal when its answer was out.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

SAMPLE = 0.01


class Probe:
    """What is measured inside of the program."""

    def __init__(self) -> None:
        self.lags: list[tuple[float, float]] = []
        self.keys: list[tuple[float, int]] = []
        self.written = 0

    async def watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(SAMPLE)
            now = time.monotonic()
            self.lags.append((now, now - before - SAMPLE))

    def count_writes(self) -> None:
        """Count what the program sends to the terminal, from the first byte on."""
        from textual.drivers.linux_driver import LinuxDriver

        write = LinuxDriver.write

        def pluralize(driver: LinuxDriver, data: str) -> None:
            self.written += len(data.encode("utf-8", errors="replace"))
            write(driver, data)

        setattr(LinuxDriver, "write", pluralize)  # noqa: B010

    def attach(self, app: Any) -> None:
        """Note each key's answer, and how late the event loop of `app` is."""
        forward, display = app.on_event, app._display
        waiting: list[tuple[float, object]] = []

        async def noted(event: Any) -> None:
            from textual.events import Key

            if isinstance(event, Key) and not getattr(event, "_probed", False):
                event._probed = True  # type: ignore[attr-defined]
                waiting.append((time.monotonic(), state_of(app)))
            await forward(event)

        def displayed(screen: Any, renderable: Any) -> None:
            display(screen, renderable)
            now = state_of(app)
            while waiting and waiting[0][1] != now:
                self.keys.append((waiting.pop(0)[0], self.written))

        app.on_event, app._display = noted, displayed
        self.task = asyncio.get_running_loop().create_task(self.watch())

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"lags": self.lags, "keys": self.keys}))


def main() -> None:
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    folder, out, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    probe = Probe()
    app: Any
    if kind == "plain":
        from benchmarks.dashboard_plain import PlainApp

        app = PlainApp(folder)
    else:
        from postertui.dashboard.setup import Setup
        from postertui.dashboard.start import make_app
        from postertui.dashboard.state.persistence import UserConfig
        from postertui.dashboard.state.view_options import ViewOptions

        setup = Setup(runs=folder, data=folder / "none", out=folder / "none")
        app = make_app(setup, ViewOptions(layout=kind), UserConfig())  # type: ignore[arg-type]

    probe.count_writes()
    asyncio.run(run(app, probe))
    probe.save(out)


def state_of(app: Any) -> object:
    """What the measured keys change: the place in the table and the grid, the epoch, the focus."""
    main = getattr(app, "main", None)
    if main is None:
        return None
    grid = main.grid
    return main.table._at, grid.cursor, grid.viewport.selected, main.focused


async def run(app: Any, probe: Probe) -> None:
    """Run until SIGTERM."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app.exit)
    task = asyncio.ensure_future(app.run_async())
    while not app.is_running:
        await asyncio.sleep(0.005)
    probe.attach(app)
    await task


if __name__ == "__main__":
    main()
