"""The dashboard, or the plain app, with an eye on its event loop: `… RUNS OUT [plain|LAYOUT]`.

When it ends it writes to OUT how late the event loop was, sampled every 10 ms, and for each key
how many bytes had gone to the terminal when its answer was out.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

SAMPLE = 0.01


class Probe:
    """What is measured inside of the program."""

    def __init__(self) -> None:
        self.lags: list[tuple[float, float]] = []
        self.keys: list[tuple[float, float, int]] = []
        self.written = 0

    async def watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(SAMPLE)
            now = time.monotonic()
            self.lags.append((now, now - before - SAMPLE))

    def attach(self, app: Any) -> None:
        """Count what `app` writes, and note each key's answer."""
        driver = app._driver
        write = driver.write

        def counted(data: str) -> None:
            self.written += len(data.encode("utf-8", errors="replace"))
            write(data)

        driver.write = counted
        forward = app.on_event

        async def noted(event: Any) -> None:
            from textual.events import Key

            if isinstance(event, Key) and not getattr(event, "_probed", False):
                event._probed = True  # type: ignore[attr-defined]
                came = time.monotonic()
                await forward(event)
                # Twice: the key's own handlers run first, and then the screen is drawn.
                app.call_later(app.call_after_refresh, self._answered, came)
                return
            await forward(event)

        app.on_event = noted
        self.task = asyncio.get_running_loop().create_task(self.watch())

    def _answered(self, came: float) -> None:
        self.keys.append((came, time.monotonic(), self.written))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"lags": self.lags, "keys": self.keys}))


def main() -> None:
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_FPS", "30")
    folder, out, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    probe = Probe()
    app: Any
    if kind == "plain":
        from benchmarks.dashboard_plain import PlainApp

        app = PlainApp(folder)
    else:
        from postertui.dashboard.app import DashboardApp
        from postertui.dashboard.options import Options
        from postertui.dashboard.setup import Setup

        setup = Setup(runs=folder, data=folder / "none", out=folder / "none")
        app = DashboardApp(setup, Options(layout=kind))  # type: ignore[arg-type]

    async def go() -> None:
        async def ready() -> None:
            probe.attach(app)

        import signal

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app.exit)
        await app.run_async(auto_pilot=None, mouse=True) if False else await _run(app, ready)

    asyncio.run(go())
    probe.save(out)


async def _run(app: Any, ready: Any) -> None:
    task = asyncio.ensure_future(app.run_async())
    while app._driver is None or not app.is_running:
        await asyncio.sleep(0.005)
    await ready()
    await task


if __name__ == "__main__":
    main()
