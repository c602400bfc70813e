"""The keys that act on runs: notes, tags, pins, and requests that can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.dashboard.state.run_view import RunView
from postertui.runs.notes import Note, read_notes
from postertui.supervisor import requests
from tests.support.dashboard_driver import LARGE, SMALL, Driver, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns


def find(d: Driver, genre: str, variant: str) -> RunView:
    runs = d.app.model.runs.values()
    (run,) = [r for r in runs if (r.genre, r.variant) == (genre, variant)]
    return run


@both_sizes
async def test_notes_tags_and_pins_are_kept(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        name = find(d, "Comedy", "base").name
        await d.press("home", "o")
        await d.write("looks fine")
        await d.press("enter")
        await d.until(lambda: read_notes(made.folder) == {name: Note("looks fine")}, "the note")
        await d.shows("looks fine")
        await d.press("number_sign")
        await d.write("#keep for-paper")
        await d.press("enter", "p")
        expected = Note("looks fine", ("keep", "for-paper"), pinned=True)
        await d.until(lambda: read_notes(made.folder) == {name: expected}, "tags and pin")
        await d.press("slash")
        await d.write("tag:keep")
        await d.until(lambda: d.shown == {"Comedy base"}, "the tag found")
    async with dashboard(made.folder, size, filter="") as d:
        assert d.app.model.pinned == {name}
        assert "★" in d.text
        await d.press("p")
        await d.until(lambda: not read_notes(made.folder)[name].pinned, "unpinned")


async def test_tags_of_several_runs_leave_each_its_own(made: MadeRuns) -> None:
    async with dashboard(made.folder, SMALL) as d:
        await d.press("home", "number_sign")
        await d.write("own")
        await d.press("enter")
        await d.until(lambda: find(d, "Comedy", "base").tags == ("own",), "the first tag")
        await d.press("home", "space", "space", "number_sign")
        await d.write("both")
        await d.press("enter")
        await d.until(lambda: find(d, "Comedy", "l2-1e-4").tags == ("both",), "the second tag")
        assert find(d, "Comedy", "base").tags == ("own", "both")


@both_sizes
async def test_cancelling_asks_where_work_would_be_lost(
    made: MadeRuns, size: tuple[int, int]
) -> None:
    async with dashboard(made.folder, size, filter="comedy no-reg") as d:
        run = find(d, "Comedy", "no-reg")
        run_folder = made.folder / run.name
        before = {p.name for p in run_folder.iterdir()}
        await d.press("x")
        await d.shows("Cancel Comedy · no-reg?")
        await d.press("n")
        assert {p.name for p in run_folder.iterdir()} == before
        await d.press("x", "y")
        await d.until(lambda: {p.name for p in run_folder.iterdir()} != before, "the request")


async def test_a_queued_run_is_cancelled_retried_and_undone(
    made: MadeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What would start the queue's process; the requests themselves are the real ones.
    started: list[Path] = []
    monkeypatch.setattr(requests, "ensure_supervisor", lambda folder: started.append(folder))
    async with dashboard(made.folder, LARGE, filter="drama no-reg") as d:

        def state() -> str:
            return find(d, "Drama", "no-reg").state

        await d.press("x")
        await d.until(lambda: state() == "cancelled", "cancelled")
        await d.shows("u undoes")
        await d.press("u")
        await d.until(lambda: state() == "queued", "taken back")
        await d.press("x")
        await d.until(lambda: state() == "cancelled", "cancelled again")
        await d.press("r")
        await d.until(lambda: state() == "queued", "retried")
        assert started

        name = find(d, "Drama", "no-reg").name
        await d.press("plus", "plus")
        await d.until(lambda: requests.priority(made.folder, name) == 2, "raised")
        await d.press("minus")
        await d.until(lambda: requests.priority(made.folder, name) == 1, "lowered")
        await d.press("u")
        await d.until(lambda: requests.priority(made.folder, name) == 2, "lowering undone")

        await d.press("P")
        await d.until(lambda: requests.is_queue_paused(made.folder), "paused")
        await d.shows("paused")
        await d.press("P")
        await d.until(lambda: not requests.is_queue_paused(made.folder), "going on")


async def test_read_only_changes_nothing(made: MadeRuns) -> None:
    before = times(made.folder)
    async with dashboard(made.folder, LARGE, read_only=True) as d:
        for key in ("home", "x", "r", "o", "number_sign", "plus", "P", "u"):
            await d.press(key)
            await d.pilot.pause()
            if len(d.app.screen_stack) > 1:
                await d.press("escape")
        await d.shows("read-only")
        await d.press("p")
        assert "★" in d.text
    assert times(made.folder) == before


def times(folder: Path) -> dict[Path, int]:
    """When each file was written last; caches can be written at any time."""
    files = (p for p in folder.rglob("*") if p.is_file() and ".cache" not in p.parts)
    return {p: p.stat().st_mtime_ns for p in files}
