"""When the study is analysed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from postertui.dashboard.controllers.summary import ROUTINE_DELAY, SummaryController
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.view_options import ViewOptions


class Schedule:
    """A controller over runs in given states, and the delays of what it schedules."""

    def __init__(self, layout: str, *states: str) -> None:
        self.delays: list[float] = []
        self.callbacks: list[Callable[[], None]] = []
        self.analyses = 0
        self.runs: dict[str, Any] = {
            str(i): SimpleNamespace(is_live=state in ("running", "queued"))
            for i, state in enumerate(states)
        }
        self.model = SimpleNamespace(
            runs=self.runs,
            options=ViewOptions(layout=layout),  # type: ignore[arg-type]
        )
        self.feed = SimpleNamespace(store=SimpleNamespace(is_complete=True))
        context: Any = SimpleNamespace(shell=self, model=self.model, feed=self.feed)
        self.controller = SummaryController(context)

    def later(self, seconds: float, callback: Callable[[], None]) -> Any:
        self.delays.append(seconds)
        self.callbacks.append(callback)
        return SimpleNamespace(stop=lambda: None)

    def in_thread(self, work: object, group: str) -> None:
        self.analyses += 1

    def read_all(self) -> None:
        self.controller.runs_updated(RunUpdates(changed=self.runs), structural=True)


def test_curves_of_runs_that_all_train_wait_long_for_their_verdicts() -> None:
    schedule = Schedule("both", "running", "queued")
    schedule.read_all()
    assert schedule.delays == [ROUTINE_DELAY]
    schedule.model.options = ViewOptions(layout="summary")
    schedule.controller.options_changed({"layout"})
    assert schedule.delays[-1] < 1


@pytest.mark.parametrize(
    ("layout", "states"), [("both", ("running", "done")), ("summary", ("running",))]
)
def test_an_ended_run_and_an_open_summary_are_analysed_soon(
    layout: str, states: tuple[str, ...]
) -> None:
    schedule = Schedule(layout, *states)
    schedule.read_all()
    assert schedule.delays[-1] < 1


def test_the_analysis_waits_until_all_runs_are_read() -> None:
    schedule = Schedule("summary", "done")
    schedule.feed.store.is_complete = False
    schedule.read_all()
    schedule.callbacks[-1]()
    assert schedule.analyses == 0
    schedule.feed.store.is_complete = True
    schedule.callbacks[-1]()
    assert schedule.analyses == 1
