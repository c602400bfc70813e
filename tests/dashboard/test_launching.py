"""The form that starts runs, on the screen: what it says before, and what it queues."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from postertui.supervisor import job_settings, requests
from postertui.supervisor.folder import Status
from postertui.system.processes import Process
from tests.support.dashboard_driver import SMALL, both_sizes, dashboard
from tests.support.launch_form import open_form, use_random_weights


@both_sizes
async def test_it_says_which_settings_a_supervisor_at_work_does_not_go_by(
    launch_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.delenv("POSTERTUI_JOB_MEMORY_MB", raising=False)
    in_use = job_settings.job_settings(None) | {"CUDA_VISIBLE_DEVICES": "0"}
    at_work = Status(running=True, process=Process.current(), job_settings=in_use)
    monkeypatch.setattr(requests, "status", lambda *_, **__: at_work)
    async with dashboard(runs, size, data=launch_data, study="demo") as d:
        screen = await open_form(d)
        await use_random_weights(d, screen)
        await d.shows("CUDA_VISIBLE_DEVICES=1 does not count")
        await d.shows("CUDA_VISIBLE_DEVICES=0")
        await d.shows("To have others count")
        await d.shows("resume`.")


@both_sizes
async def test_it_says_how_many_runs_and_starts_just_those(
    launch_data: Path, tmp_path: Path, supervisor_starts: list[int | None], size: tuple[int, int]
) -> None:
    runs = tmp_path / "runs"
    async with dashboard(runs, size, data=launch_data, study="demo") as d:
        screen = await open_form(d)
        await use_random_weights(d, screen)
        await d.shows("3 to start of 3 runs")
        assert "[x] base" in d.text and "[ ] no-reg" in d.text
        await d.press("down", "space")
        await d.shows("6 to start of 6 runs")
        await d.press("tab", "a")
        await d.shows("tick at least one variant and one genre")
        await d.press("space")
        await d.shows("2 to start of 2 runs")
        await d.press("ctrl+s")
        await d.until(lambda: d.app.screen is d.app.main, "the form closed")
        await d.shows("queued Comedy · base and 1 more (u undoes)")
        await d.until(lambda: d.shown == {"Comedy base", "Comedy no-reg"}, "the runs")
        assert supervisor_starts == [None]
        await d.press("u")
        await d.until(
            lambda: {run.state for run in d.app.model.runs.values()} == {"cancelled"},
            "the start undone",
        )
        await open_form(d)
        await d.shows("0 to start of 2 runs  2 failed or cancelled")


@pytest.mark.usefixtures("supervisor_starts")
async def test_mistakes_are_reported_while_typing(launch_data: Path, tmp_path: Path) -> None:
    async with dashboard(tmp_path / "runs", SMALL, data=launch_data, study="demo") as d:
        screen = await open_form(d)
        screen.query_one("#weights", Input).value = "nowhere.h5"
        await d.shows("weights: imagenet, random or a file of VGG16's weights")
        await use_random_weights(d, screen)
        screen.query_one("#seeds", Input).value = "2000"
        await d.shows("seeds: a whole number from 1 to 1000")
        await d.press("ctrl+s")
        assert not (tmp_path / "runs").exists()
        await d.press("escape")
        assert d.app.screen is d.app.main


async def test_read_only_and_missing_data_start_nothing(launch_data: Path, tmp_path: Path) -> None:
    async with dashboard(
        tmp_path / "runs", SMALL, data=launch_data, study="demo", read_only=True
    ) as d:
        await d.press("n")
        await d.shows("read-only")
        assert d.app.screen is d.app.main
        assert not (tmp_path / "runs").exists()
    async with dashboard(tmp_path / "runs", SMALL, data=tmp_path / "none") as d:
        await d.press("n")
        await d.shows("no data")
