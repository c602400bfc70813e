"""Every number of the summary's screen against the commands: `python -m benchmarks.screen_numbers`.

The first screen of a runs folder (`… RUNS`) at 160 x 48 is read as text, and each number in it is
held against what `postertui compare`, `bars` and the history table say. Numbers on axes are those
of ranges, and are only counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from postertui.dashboard.number_format import score, signed
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.table.marks import BASELINE_MARKS, DIFFERENCE_MARKS
from postertui.dashboard.table.matrix import thousandths

SIZE = (160, 48)
Tally = Counter[str]


def command(*words: str) -> Any:
    """What a command prints as JSON."""
    printed = subprocess.run(
        [sys.executable, "-m", "postertui", *words, "--json"], check=True, capture_output=True
    )
    return json.loads(printed.stdout)


class Facts:
    """What the commands say of a runs folder."""

    def __init__(self, runs: Path) -> None:
        comparison = command("compare", "--runs", str(runs), "--by-genre")
        self.differences = {(row["genre"], row["name"]): row for row in comparison["genres"]}
        bars = command("bars", "--runs", str(runs), "--every")
        self.baselines = {row["genre"]: row["baseline"] for row in bars["margins"]}
        self.margins = {(row["genre"], row["name"]): row for row in bars["margins"]}
        ends = command("bars", "--runs", str(runs), "--every", "--epoch", "end")
        self.end_margins = {(row["genre"], row["name"]): row for row in ends["margins"]}


async def check_screen(runs: Path, facts: Facts, tally: Tally) -> list[str]:
    """Check the first screen of `runs`, its cursor on a difference; its lines."""
    from postertui.dashboard.app import DashboardApp
    from postertui.dashboard.setup import Setup

    app = DashboardApp(Setup(runs, Path("data"), Path("reports")), ViewOptions(layout="summary"))
    async with app.run_test(size=SIZE) as pilot:
        while not app.model.summary.epoch:
            await pilot.pause(0.05)
        await pilot.press("down", "right", "right")
        await pilot.pause(1.0)
        while app.main.genre_grid.is_at_work:
            await pilot.pause(0.05)
        strips = app.screen._compositor.render_strips(app.screen.size)
        lines = ["".join(segment.text for segment in strip) for strip in strips]
        check_matrix(lines, app, facts, tally)
        check_sentences(lines, app, facts, tally)
        check_cells(lines, app, facts, tally)
    return lines


def check_matrix(lines: list[str], app: Any, facts: Facts, tally: Tally) -> None:
    """Baselines, base's values and marks, differences and marks, counts of verdicts."""
    window, top = app.main.matrix._window, app.main.matrix.region.y
    better: Counter[str] = Counter()
    worse: Counter[str] = Counter()
    for row, genre in enumerate(window.visible_genres):
        line = lines[top + 1 + window.names + row]
        head, cells = line[: window.fixed_width], line[window.fixed_width :]
        margin = facts.margins[genre, "base"]
        expect(tally, score(facts.baselines[genre]) in head, genre, "baseline")
        value = score(margin["value"]) + BASELINE_MARKS[margin["verdict"]]
        expect(tally, value in head, genre, "base")
        for column, variant in enumerate(window.visible_variants):
            cell = cells[column * window.cell_width : (column + 1) * window.cell_width].strip()
            difference = facts.differences.get((genre, variant))
            if difference is None or difference["difference"] is None:
                expect(tally, not re.search(r"\d", cell), f"{genre} {variant}", "no difference")
                continue
            mark = DIFFERENCE_MARKS[difference["verdict"]]
            wanted = (thousandths(difference["difference"]) + mark).strip()
            expect(tally, cell == wanted, f"{genre} {variant}: {cell}", "difference")
            better[variant] += difference["verdict"] == "better"
            worse[variant] += difference["verdict"] == "worse"
    counts = lines[top + 1 + window.names + len(window.visible_genres)]
    verdicts = Counter(facts.margins[g, "base"]["verdict"] for g in window.visible_genres)
    for verdict, count in verdicts.items():
        mark = BASELINE_MARKS[verdict]
        expect(tally, f"{count}{mark}" in counts[: window.fixed_width], verdict, "count")
    for column, variant in enumerate(window.visible_variants):
        at = window.fixed_width + column * window.cell_width
        shown = counts[at : at + window.cell_width]
        numbers = [int(n) for n in re.findall(r"\d+", shown)]
        expect(tally, sum(numbers) == better[variant] + worse[variant], variant, "count")


def check_sentences(lines: list[str], app: Any, facts: Facts, tally: Tally) -> None:
    """The numbers of the sentences below the matrix."""
    genre, variant = app.main.matrix.current
    difference, margin = facts.differences[genre, variant], facts.margins[genre, "base"]
    text = " ".join(lines)
    wanted = {
        "value": score(difference["value"]),
        "difference": signed(difference["difference"]),
        "low": signed(difference["low"]),
        "high": signed(difference["high"]),
        "comparisons": f"of {len(facts.differences)} (Holm)",
        "base": score(margin["value"]),
        "margin": score(abs(margin["margin"])),
        "margin's low": signed(margin["low"]),
        "margin's high": signed(margin["high"]),
    }
    for name, number in wanted.items():
        expect(tally, number in text, f"{name} {number}", "sentence")


def check_cells(lines: list[str], app: Any, facts: Facts, tally: Tally) -> None:
    """Values and marks above the curves of the genre; a longer run's are of its own end."""
    grid = app.main.genre_grid
    viewport, tiling = grid.viewport, grid.viewport.tiling
    for row, column in viewport.visible_cells():
        key = viewport.key_at(row, column)
        members = grid.panels.members(key)
        if key is None or not members:
            continue
        at_end = all(run.epoch != app.model.summary.epoch for run in members)
        margin = (facts.end_margins if at_end else facts.margins).get(key)
        if margin is None:
            continue
        y = grid.region.y + viewport.top + (row - viewport.offset[0]) * tiling.height
        x = grid.region.x + (column - viewport.offset[1]) * (tiling.width + 1)
        title = lines[y][x : x + tiling.width]
        value = score(margin["value"]) + BASELINE_MARKS[margin["verdict"]]
        if re.search(r"\.\d{3}", title):
            expect(tally, value.strip() in title, f"{key}: {title}", "cell")


def expect(tally: Tally, holds: bool, what: str, kind: str) -> None:
    tally[kind if holds else "WRONG"] += 1
    if not holds:
        print(f"wrong {kind}: {what}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.screen_numbers", description=__doc__
    )
    parser.add_argument("runs", type=Path, help="a runs folder")
    runs: Path = parser.parse_args().runs.absolute()
    facts, tally = Facts(runs), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = place
        os.environ["TEXTUAL_ANIMATIONS"] = "none"
        lines = asyncio.run(check_screen(runs, facts, tally))
    print("\n".join(line.rstrip() for line in lines))
    print(f"{sum(tally.values())} numbers checked, {tally['WRONG']} wrong: {dict(tally)}")
    return 1 if tally["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main())
