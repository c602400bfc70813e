"""How fast it goes and how long it takes; the feed that reads the runs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from postertui.dashboard.state.feed import RunFeed
from postertui.dashboard.state.pace import PaceMeter, epochs_per_second
from postertui.dashboard.state.status_line import outlook_text, state_text
from tests.support.dashboard_driver import PATIENCE
from tests.support.dashboard_runs import MadeRuns, views
from tests.support.many_runs import write_runs


def test_the_first_reading_says_nothing_of_the_pace() -> None:
    assert epochs_per_second([(0.0, 500)], 10.0) is None
    assert epochs_per_second([(0.0, 500), (5.0, 10), (10.0, 10)], 10.0) == pytest.approx(2.0)
    assert epochs_per_second([(0.0, 5), (5.0, 5)], 500.0) is None


def test_what_remains_is_one_estimate_for_run_and_queue(made: MadeRuns) -> None:
    runs = {run.name: run for run in views(made)}
    meter = PaceMeter()
    open_runs = {name: run for name, run in runs.items() if run.is_live}
    each = [meter.remaining_of(run, runs) or 0.0 for run in open_runs.values()]
    # One at a time it takes what all take together, with many jobs what the longest takes.
    assert meter.remaining(open_runs, runs, 1) == pytest.approx(sum(each), rel=0.01)
    assert meter.remaining(open_runs, runs, 9) == pytest.approx(max(each), rel=0.01)
    # The queued one has ten epochs of 1.4 s before it.
    (queued,) = [run for run in open_runs.values() if run.state == "queued"]
    assert meter.remaining_of(queued, runs) == pytest.approx(14.0, rel=0.1)
    done = {name: run for name, run in runs.items() if run.state == "done"}
    assert meter.remaining({}, done, 1) is None
    assert all(meter.remaining_of(run, runs) is None for run in done.values())


def test_the_first_line() -> None:
    words = "".join(t for t, _ in state_text("runs", {"running": 2, "failed": 0}, loaded=True))
    assert "2 running" in words
    assert "failed" not in words
    assert "reading" in "".join(t for t, _ in state_text("runs", {}, loaded=False))
    assert "".join(t for t, _ in outlook_text(200.0, 2.0)).split() == [
        "2.0", "epochs/s", "3m20", "left"
    ]  # fmt: skip
    assert "paused" in "".join(t for t, _ in outlook_text(None, None, paused=True))


def test_news_gathers_until_it_is_taken(made: MadeRuns) -> None:
    feed = RunFeed(made.folder, lambda: None)
    assert feed.read()
    assert len(feed.drain().changed) == 9
    assert not feed.read()
    (name,) = [r.name for r in views(made) if (r.genre, r.epoch) == ("Drama", 6)]
    made.epoch(name, 7)
    assert feed.read()
    made.epoch(name, 8)
    assert feed.read()
    updates = feed.drain()
    assert list(updates.changed) == [name]
    assert updates.changed[name].epoch == 8
    assert not feed.drain().changed


def test_the_thread_announces_and_stops(made: MadeRuns) -> None:
    announced = threading.Event()
    feed = RunFeed(made.folder, announced.set, period=0.01)
    feed.start()
    try:
        assert announced.wait(PATIENCE)
        assert feed.drain().changed
        announced.clear()
        made.add("Western", epochs=1, state="done")
        assert announced.wait(PATIENCE)
    finally:
        feed.stop()
    feed._thread.join(PATIENCE)
    assert not feed._thread.is_alive()


def test_strings_of_a_run_are_clean_and_the_record_is_as_it_is(tmp_path: Path) -> None:
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Com\x1b[31medy", state="failed", epochs=1, reason="bad\x07\nthing")
    (run,) = views(made_runs)
    assert run.genre == "Comedy"
    assert run.reason == "bad\N{REPLACEMENT CHARACTER} thing"
    assert run.record["genre"] == "Com\x1b[31medy"


def test_of_many_runs_the_first_are_reported_before_the_last_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postertui.runs.store.reader.BATCH", 40)
    write_runs(tmp_path / "runs", 250, epochs=2)
    changes: list[int] = []
    whole = threading.Event()

    def tell() -> None:
        changes.append(len(feed.drain().changed))
        if sum(changes) == 250:
            whole.set()

    # An hour between readings: the rest must not wait for the next one.
    feed = RunFeed(tmp_path / "runs", tell, period=3600.0, patience=0.0)
    feed.start()
    assert whole.wait(PATIENCE)
    feed.stop()
    assert changes == [40] * 6 + [10]


@pytest.mark.parametrize("error", [RuntimeError("unforeseen"), OSError(5, "broken", "/disk")])
def test_reading_thread_that_fails_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made_runs = MadeRuns(tmp_path / "runs")
    made_runs.add("Comedy", state="done", epochs=1)
    feed = RunFeed(made_runs.folder, lambda: None)

    def fail(_patience: float) -> set[str]:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(feed.store, "refresh", fail)
        assert feed.read()
        assert "unforeseen" in (feed.error or "") or "broken" in (feed.error or "")
        assert not feed.read(), "it is told once"
    assert feed.read()
    assert feed.error is None
