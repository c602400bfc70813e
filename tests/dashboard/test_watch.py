"""Watching: one run's log and config, the machine, announcements."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postertui.dashboard.monitoring.config_diff import config_lines
from postertui.dashboard.monitoring.devices import DeviceSampler, bar, gigabytes
from postertui.dashboard.monitoring.end_command import EndCommand
from postertui.dashboard.monitoring.log_reader import KEPT_BYTES, LogReader, find_line, last_error
from postertui.dashboard.monitoring.machine_monitor import Machine, MachineMonitor
from postertui.dashboard.screens.run import RunScreen
from postertui.dashboard.state.announcements import Announcement, find_announcements
from postertui.dashboard.state.run_view import RunView, view_of
from postertui.dashboard.state.status_line import queue_text
from postertui.runs.lifecycle import OPEN_STATES
from postertui.runs.spec import read_spec
from postertui.runs.store import Store
from postertui.supervisor.folder import JobStatus, Status
from tests.support.dashboard_driver import SMALL, Driver, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns

# The log


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_a_log_is_the_same_however_it_arrives(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.txt"
    reader = LogReader(path)
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        reader.read()
    whole = LogReader(path)
    whole.read()
    assert reader.all_lines() == whole.all_lines()
    controls = {*map(chr, range(32)), *map(chr, range(127, 160))}
    assert not controls & set("".join(whole.all_lines()))


def test_a_log_that_is_replaced_or_huge(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    reader = LogReader(path)
    assert not reader.read() and reader.missing
    path.write_bytes(b"first\n10 %\r50 %\r99 %\nhalf")
    assert reader.read() and not reader.missing
    assert reader.all_lines() == ["first", "99 %", "half"]
    assert not reader.read()
    path.write_bytes(b"anew\n")
    assert reader.read()
    assert reader.all_lines() == ["anew"]
    with path.open("ab") as file:
        file.write(b"x" * (KEPT_BYTES + 5) + b"\nlast\n")
    reader.read()
    assert reader.lines[0] == "… (the beginning is not shown)"
    assert reader.lines[-1] == "last"


def test_the_last_error_and_searching() -> None:
    lines = ["start", "ValueError: first", "  at x", "RuntimeError: second", "bye"]
    assert last_error(lines) == "RuntimeError: second"
    assert last_error(["0 errors", "fine"]) is None
    assert find_line(lines, "error", 2, 1) == 3
    assert find_line(lines, "ERROR", 4, 1) == 1
    assert find_line(lines, "error", 0, -1) == 3
    assert find_line(lines, "nothing", 0, 1) is None
    assert find_line(lines, "", 0, 1) is None


# The config


def test_the_difference_of_two_runs_comes_first(made: MadeRuns) -> None:
    one = made.add("Western", "base")
    other = made.add("Western", "l2-1e-4", seed=1)
    lines = config_lines(read_spec(made.folder / one), read_spec(made.folder / other))
    differing = [e.key for e in lines if e.differs]
    assert set(differing) == {"name", "family", "regularizer", "strength", "seed"}
    assert [e.key for e in lines[: len(differing)]] == differing
    assert {"fc1", "genre", "weights.kind"} <= {e.key for e in lines if not e.differs}


# The machine


class FakeNvml:
    """Two devices, of which the second tells nothing."""

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        if handle:
            raise RuntimeError("not supported")
        return SimpleNamespace(gpu=73)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        if handle:
            raise RuntimeError("not supported")
        return SimpleNamespace(used=3 << 30, total=8 << 30)

    def nvmlDeviceGetTemperature(self, handle: int, _: int) -> int:  # noqa: N802
        if handle:
            raise RuntimeError("not supported")
        return 61


def test_devices_are_those_of_nvml() -> None:
    cpu, one, other = DeviceSampler(FakeNvml()).sample()
    assert cpu.name == "cpu" and cpu.memory_share is not None and 0 < cpu.memory_share < 1
    assert (one.name, one.use, one.memory_share, one.temperature) == ("gpu0", 0.73, 3 / 8, 61)
    assert (other.use, other.memory_share, other.temperature) == (None, None, None)


def test_without_a_driver_there_are_just_no_gpus() -> None:
    class NoDriver(FakeNvml):
        def nvmlInit(self) -> None:  # noqa: N802
            raise OSError("no driver")

    sampler = DeviceSampler(NoDriver())
    assert [d.name for d in sampler.sample()] == ["cpu"]
    assert "no driver" in sampler.note


def test_bars() -> None:
    assert bar(0.5, 4) == ("██", "──")
    assert bar(0.5, 4, ascii_only=True) == ("##", "..")
    assert bar(None, 4) == ("", " ?  ")
    for share in (-1.0, 0.0, 0.31, 0.999, 1.0, 7.0):
        assert sum(map(len, bar(share, 9))) == 9
        assert sum(map(len, bar(share, 9, ascii_only=True))) == 9
    assert (gigabytes(3 << 30), gigabytes(140 << 30), gigabytes(None)) == ("3.0", "140", "–")


def test_the_queue_in_a_line() -> None:
    status = Status(running=True, jobs=(JobStatus(1, "cpu", "a"), JobStatus(2, "cpu")), slots=2)

    def text(status: Status, paused: bool = False) -> str:
        parts = queue_text(status, {"queued": 7}, 3720.0, 0.5, paused=paused)
        return "".join(t for t, _ in parts)

    assert text(status) == " queue 1 of 2 at work  7 waiting  30 epochs/min  1h02 left"
    assert text(status, paused=True).endswith("  paused")
    # On a cluster machines come and go.
    assert " queue 1 at work  7 waiting" in text(msgspec.structs.replace(status, slots=0))
    assert "no supervisor" in text(Status())
    assert text(Status(waiting="no room left")).endswith("no room left")


def test_devices_are_read_only_while_they_are_shown(tmp_path: Path) -> None:
    made: list[DeviceSampler] = []

    def sampler() -> DeviceSampler:
        made.append(DeviceSampler(FakeNvml()))
        return made[0]

    watch = MachineMonitor(tmp_path, lambda _: None, sampler=sampler)
    assert watch.sample() == Machine(Status(), False)
    assert made == []
    watch.sample_devices(True)
    assert [d.name for d in watch.sample().devices] == ["cpu", "gpu0", "gpu1"]


# Announcements


def views(made: MadeRuns) -> dict[str, RunView]:
    store = Store(made.folder)
    store.refresh()
    return {name: view_of(run) for name, run in store.runs.items()}


def announcements(before: dict[str, RunView], changed: dict[str, RunView]) -> list[Announcement]:
    open_before = {name: run for name, run in before.items() if run.state in OPEN_STATES}
    return find_announcements(before, open_before, changed)


def test_failures_and_a_studys_end_are_news_once(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    one, other = made_runs.add("Comedy", state="running", epochs=2), made_runs.add("Drama")
    before = views(made_runs)
    assert announcements({}, before) == []
    made_runs.end(one, "failed", "killed by SIGKILL")
    middle = views(made_runs)
    assert [(h.text, h.failed) for h in announcements(before, {one: middle[one]})] == [
        ("Comedy · base failed: killed by SIGKILL", True)
    ]
    assert announcements(middle, {one: middle[one]}) == []
    made_runs.event(other, "start", 1.0, device="cpu", from_epoch=1)
    made_runs.end(other, "done")
    after = views(made_runs)
    (ended,) = announcements(middle, {other: after[other]})
    assert (ended.text, ended.failed) == ("milestone4 has ended: 1 done, 1 failed", True)


def test_many_failures_are_one_message(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Western")
    names = [made_runs.add("Comedy", seed=n, state="running", epochs=1) for n in range(5)]
    before = views(made_runs)
    for name in names:
        made_runs.end(name, "failed", "x")
    after = views(made_runs)
    assert [h.text for h in announcements(before, {n: after[n] for n in names})] == [
        "5 runs failed"
    ]


def test_the_users_command_gets_the_message_as_one_argument(tmp_path: Path) -> None:
    out = tmp_path / "said"
    script = f"import pathlib, sys; pathlib.Path({str(out)!r}).write_text(repr(sys.argv[1:]))"
    hook = EndCommand(shlex.join([sys.executable, "-c", script, "--title", "x"]))
    assert hook.run("$(reboot); `a` failed") == ""
    for process in hook._running:
        process.wait(60)
    assert out.read_text() == repr(["--title", "x", "$(reboot); `a` failed"])
    assert EndCommand("").run("x") == ""
    assert "no-such-command" in EndCommand("no-such-command").run("x")
    assert EndCommand("say 'it").run("x") == "on_end: No closing quotation"


# On the screen


async def go_to(d: Driver, genre: str, variant: str) -> None:
    await d.press("home")
    for _ in range(20):
        run = d.app.main.table.current
        if run is not None and (run.genre, run.variant) == (genre, variant):
            return
        await d.press("down")
    raise AssertionError(f"{genre} {variant} is not in the table")


@both_sizes
async def test_a_run_its_error_its_log_and_its_config(
    made: MadeRuns, size: tuple[int, int]
) -> None:
    failed = next(p for p in made.folder.iterdir() if p.name.startswith("horror--no-reg"))
    log = failed / "log.txt"
    log.write_text("one\ntwo\nValueError: shapes \x1b[31mdiffer\n" + "later\n" * 60)
    async with dashboard(made.folder, size) as d:
        await go_to(d, "Horror", "no-reg")
        await d.press("enter")
        screen = d.app.screen
        assert isinstance(screen, RunScreen)
        await d.shows("Horror · no-reg")
        await d.shows("killed by SIGKILL")
        await d.shows("ValueError: shapes differ")
        assert "epoch 3/10" in d.text and "failed" in d.text
        await d.shows("later")
        await d.press("slash")
        await d.write("two")
        await d.press("enter")
        await d.until(lambda: screen.log_view.hit == 1, "the line found")
        await d.shows("two")
        with log.open("a") as file:
            file.write("the very last two\n")
        await d.until(lambda: screen.log_view.lines[-1] == "the very last two", "the log followed")
        await d.press("n")
        await d.shows("the very last two")
        await d.press("tab")
        await d.shows("learning_rate")
        await d.press("d")
        await d.write("Horror base")
        await d.press("enter")
        await d.shows("Horror · base")
        await d.shows("regularizer")
        await d.press("escape")
        await d.until(lambda: d.app.screen is d.app.main, "back")


async def test_a_running_runs_screen_goes_on_with_it(made: MadeRuns) -> None:
    running = next(p.name for p in made.folder.iterdir() if p.name.startswith("horror--l2"))
    async with dashboard(made.folder, SMALL) as d:
        await go_to(d, "Horror", "l2-1e-4")
        await d.press("enter")
        await d.shows("epoch 6/10")
        made.epoch(running, 7)
        await d.shows("epoch 7/10")
        made.end(running, "failed", "out of memory")
        await d.shows("out of memory")


@both_sizes
async def test_the_device_panel_is_shown_on_demand(made: MadeRuns, size: tuple[int, int]) -> None:
    async with dashboard(made.folder, size) as d:
        assert " GB" not in d.text
        await d.press("d")
        await d.shows(" cpu ")
        await d.shows("1 waiting")
        await d.press("d")
        assert " GB" not in d.text
    async with dashboard(made.folder, size) as d:
        assert d.app.model.options.devices is False


async def test_a_failure_is_a_toast_a_bell_and_the_users_command(
    made: MadeRuns, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = own_home / "config" / "postertui" / "config.toml"
    config.parent.mkdir(parents=True)
    script = tmp_path / "told.py"
    script.write_text("import sys; open(sys.argv[1], 'a').write(sys.argv[2])")
    output_file = tmp_path / "said"
    command = shlex.join([sys.executable, str(script), str(output_file)])
    config.write_text(f"on_end = {json.dumps(command, ensure_ascii=False)}\n")
    running = next(p.name for p in made.folder.iterdir() if p.name.startswith("horror--l2"))
    rung: list[bool] = []
    async with dashboard(made.folder, SMALL) as d:
        monkeypatch.setattr(d.app, "bell", lambda: rung.append(True))
        made.end(running, "failed", "out of memory")
        await d.shows("Horror · l2-1e-4 failed")
        await d.until(lambda: output_file.exists() and output_file.read_text(), "the command run")
        assert rung == [True]
    assert output_file.read_text() == "Horror · l2-1e-4 failed: out of memory"
