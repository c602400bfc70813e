"""The line at the bottom: the queue, the devices as they have been, the last failure."""

from __future__ import annotations

from pathlib import Path

from postertui.dashboard.monitoring.devices import BUCKET, HISTORY, Device, UseHistory, level_line
from postertui.dashboard.terminal.theme import PALETTES, ThemeStyles
from postertui.dashboard.widgets.machine_strip import MachineStrip
from tests.support.dashboard_driver import LARGE, SMALL, dashboard
from tests.support.dashboard_runs import MadeRuns


def test_a_devices_history_is_the_mean_of_each_quarter_of_a_minute() -> None:
    history = UseHistory()
    assert history.add(1.0) == (1.0,)
    assert history.add(0.0) == (0.5,)
    for _ in range(BUCKET - 2):
        history.add(0.5)
    assert history.add(0.25) == (0.5, 0.25)
    for _ in range(HISTORY * BUCKET):
        kept = history.add(1.0)
    assert len(kept) == HISTORY
    assert level_line((0.0, 0.5, 1.0, 2.0)) == "▁▅██"


def test_where_room_is_short_devices_go_before_the_failure() -> None:
    strip = MachineStrip(ThemeStyles(PALETTES["dark"]))
    devices = [Device(name, 0.5, 1, 4, history=(0.5, 1.0)) for name in ("cpu", "gpu0", "gpu1")]
    failure = "failed: Horror · no-reg: killed by SIGKILL"
    strip.show(((" queue ", "bold"), ("1 running, 7 queued", "text")), devices, failure)

    def text(width: int) -> str:
        return "".join(text for text, _ in strip.parts(width))

    assert text(160).startswith(" queue 1 running, 7 queued  cpu 50% ▅█ mem 25%  gpu0 50%")
    assert text(160).endswith(failure + " ")
    assert "gpu1" in text(160) and "gpu1" not in text(115)
    assert "cpu" not in text(70) and failure in text(70)
    assert all(len(text(width)) <= width for width in range(30, 161))


async def test_it_has_queue_devices_and_the_last_failure_in_one_line(made: MadeRuns) -> None:
    async with dashboard(made.folder, LARGE) as d:
        await d.until(lambda: "cpu" in d.lines[-2], "the devices")
        assert "3 running, 1 queued" in d.lines[-2]
        assert d.lines[-2].rstrip().endswith("failed: Horror · no-reg: killed by SIGKILL")
        made.add("Western", state="failed", epochs=1, reason="no room", started=1_800_000_000.0)
        await d.until(
            lambda: "2 failed, last Western · base: no room" in d.lines[-2], "the newer failure"
        )
        # A message leaves it, and the line below the curves, readable.
        d.app.show_message("a message")
        await d.shows("a message")
        assert all("a message" not in line for line in d.lines[-3:])
        await d.pilot.resize_terminal(*SMALL)
        await d.until(lambda: "3 running, 1 queued" in d.lines[-2], "in a small terminal")


async def test_a_long_message_is_whole(made: MadeRuns) -> None:
    # It fills lines of 37 columns, and in 36 takes one line more.
    line = "word " * 7 + "xx "
    async with dashboard(made.folder, SMALL) as d:
        d.app.show_message(line * 5 + "word " * 6 + "last")
        await d.until(lambda: any("word word" in line for line in d.lines), "the message")
        assert any("last" in line for line in d.lines)


async def test_a_small_terminal_keeps_the_line_for_runs_where_nothing_is_to_say(
    tmp_path: Path,
) -> None:
    made = MadeRuns(tmp_path / "runs")
    made.add("Comedy", state="done", epochs=2)
    async with dashboard(made.folder, SMALL) as d:
        await d.until(lambda: d.app.model.machine is not None, "the machine")
        await d.settle()
        assert "queue" not in d.text
        await d.pilot.resize_terminal(*LARGE)
        await d.until(lambda: "queue empty" in d.lines[-2], "the line")
