"""Snapshots of the main screens: `python -m benchmarks.screens [FOLDER]` writes docs/screens/*.svg.

The real app on a study in mid-training, drawn headless. Training itself is made up, from a seed:
the same program draws the same screens, but for the load of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from postertui.dashboard.app import DashboardApp
from postertui.dashboard.setup import Setup
from postertui.dashboard.state.view_options import ViewOptions
from postertui.data.posters import build_dataset
from postertui.data.synthetic import make_posters
from postertui.runs import layout
from postertui.supervisor.folder import JobStatus, Status
from postertui.system.atomic_files import write_atomic
from postertui.system.locks import FileLock, is_held
from tests.support.dashboard_runs import MadeRuns

#: The table of 2017, where it is.
PUBLISHED = Path(__file__).parents[2] / "shared/data/published/model_perf.tsv"

LARGE, SMALL = (160, 48), (80, 24)
VARIANTS = ("base", "l2-1e-2", "l2-1e-4", "no-reg")
GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance", "Thriller")
LOG_OF_A_FAILURE = """\
2026-03-02 14:07:31 attempt 1 on cpu:0: Drama, l2-1e-2, seed 0, from epoch 1 of 10
epoch  1/10  train loss 2.4173 F 0.3711  test loss 1.0236 F 0.3920  1.412 s
epoch  2/10  train loss 1.2245 F 0.3864  test loss 0.8710 F 0.3987  1.398 s
epoch  3/10  train loss 0.9012 F 0.3902  test loss 0.7933 F 0.4020  1.401 s
ArithmeticError: the loss is not finite
2026-03-02 14:07:36 failed: ArithmeticError: the loss is not finite
"""


def study_in_training(folder: Path) -> MadeRuns:
    """Six genres of four variants: most are done, some run, one has failed, the rest wait."""
    made_runs = MadeRuns(folder)
    for number, genre in enumerate(GENRES):
        for place, variant in enumerate(VARIANTS):
            order = number * len(VARIANTS) + place
            if (genre, variant) == ("Drama", "l2-1e-2"):
                log = LOG_OF_A_FAILURE
                made_runs.add(
                    genre,
                    variant,
                    epochs=3,
                    state="failed",
                    reason="the loss is not finite",
                    log=log,
                )
            elif order < 15:
                made_runs.add(
                    genre, variant, epochs=10, state="done", gaps=(4,) if order == 5 else ()
                )
            elif order < 19:
                made_runs.add(genre, variant, epochs=19 - order + 3, state="running")
            else:
                made_runs.add(genre, variant)
    return made_runs


@contextlib.contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """As if a supervisor worked on the runs that run."""
    running = [path.parent.name for path in folder.glob("*/lock") if is_held(path)]
    jobs = tuple(JobStatus(None, "cpu", run) for run in running)
    status = Status(running=True, jobs=jobs, slots=len(jobs), queued=5)
    write_atomic(folder / layout.SUPERVISOR_STATUS, msgspec.json.encode(status))
    lock = FileLock(folder / layout.SUPERVISOR_LOCK)
    assert lock.acquire()
    yield
    lock.release()


async def shoot(
    name: str,
    size: tuple[int, int],
    keys: tuple[str, ...],
    *,
    ascii_only: bool = False,
    **options: Any,
) -> str:
    """The screen as SVG after `keys`."""
    setup = Setup(Path("runs"), Path("data"), Path("reports"), study="demo", ascii_only=ascii_only)
    app = DashboardApp(setup, ViewOptions(**options))
    async with app.run_test(size=size) as pilot:
        while not app.model.loaded:
            await pilot.pause(0.05)
        for key in keys:
            await pilot.press(key)
            # The form reads the data, the panel the machine.
            await pilot.pause(1.2 if key in ("n", "d") else 0.3)
        await pilot.pause(1.0)
        # The summary's numbers come from an analysis, which takes its time.
        while app.model.options.layout == "summary" and not app.model.summary.epoch:
            await pilot.pause(0.1)
        await pilot.pause(0.5)
        return app.export_screenshot(title=f"postertui: {name}", simplify=True)


#: Name, size, keys, options of the view.
SCREENS: tuple[tuple[str, tuple[int, int], tuple[str, ...], dict[str, Any]], ...] = (
    ("summary", LARGE, ("down", "right"), {}),
    ("summary-80x24", SMALL, ("down", "right"), {}),
    ("dashboard", LARGE, (), {"layout": "both"}),
    ("dashboard-80x24", SMALL, (), {"layout": "both"}),
    ("overlay", LARGE, (), {"mode": "overlay", "layout": "grid"}),
    ("delta", LARGE, (), {"delta": True, "layout": "grid"}),
    ("cell", LARGE, ("tab", "enter"), {"layout": "both"}),
    ("devices", LARGE, ("d",), {}),
    ("launching-80x24", SMALL, ("n",), {}),
    ("variant-80x24", SMALL, ("n", "n"), {}),
    ("run-80x24", SMALL, ("enter",), {"filter": "state:failed", "layout": "both"}),
    ("light", LARGE, ("T",), {}),
)


def shoot_published(target: Path, table: Path) -> None:
    """The first screen of the published study, in each size and each theme, and in ASCII."""
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = place
        command = [sys.executable, "-m", "postertui", "import", str(table), "--runs", "runs"]
        subprocess.run(command, check=True)
        for width, height in (SMALL, LARGE, (250, 70)):
            for look in ("dark", "light", "colour-blind", "ascii"):
                name = f"published-{width}x{height}-{look}"
                is_ascii = look == "ascii"
                theme = "dark" if is_ascii else look
                shot = shoot(
                    name, (width, height), (), ascii_only=is_ascii, theme=theme, layout="summary"
                )
                (target / f"{name}.svg").write_text(asyncio.run(shot))
                print(f"{name}.svg")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screens", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/screens"))
    target: Path = parser.parse_args().folder.absolute()
    target.mkdir(parents=True, exist_ok=True)
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = place
        posters = make_posters(Path("posters"), 40)
        build_dataset(posters.posters, posters.labels, Path("data"))
        runs = study_in_training(Path("runs"))
        with at_work(Path("runs")):
            for name, size, keys, options in SCREENS:
                picture = asyncio.run(shoot(name, size, keys, **options))
                (target / f"{name}.svg").write_text(picture)
                print(f"{name}.svg")
        runs.close()
    if PUBLISHED.exists():
        shoot_published(target, PUBLISHED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
