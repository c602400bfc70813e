"""What the dashboard asks of the supervisor, and how each request is taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from postertui.dashboard.state.run_control import ReadOnlyError, RunControl
from postertui.runs.spec import read_spec
from postertui.supervisor import requests
from tests.support.dashboard_runs import MadeRuns
from tests.support.supervisor import make_spec, queue, states


@pytest.fixture
def control(
    made_runs: MadeRuns, supervisor_starts: list[int | None]
) -> tuple[RunControl, list[int | None]]:
    """A control whose supervisors only count."""
    return RunControl(made_runs.folder), supervisor_starts


def test_cancel_and_its_undo(
    made_runs: MadeRuns, control: tuple[RunControl, list[int | None]]
) -> None:
    run = made_runs.add()
    assert control[0].cancel([run]) == "cancelled 1 run (u undoes)"
    assert states(made_runs.folder) == {run: "cancelled"}
    assert control[0].undo() == "took back the cancel of 1 run"
    assert states(made_runs.folder) == {run: "queued"}
    assert control[1] == [None]
    assert control[0].undo() == "nothing to undo"


def test_the_undo_of_a_running_runs_cancel_waits_for_its_end(
    made_runs: MadeRuns, control: tuple[RunControl, list[int | None]]
) -> None:
    import threading

    run = made_runs.add(state="running", epochs=2)
    control[0].cancel([run])
    undoing = threading.Thread(target=control[0].undo)
    undoing.start()
    made_runs.end(run, "cancelled")  # as its job does, an epoch later
    undoing.join(60)
    assert states(made_runs.folder) == {run: "queued"}


def test_priorities_go_back_to_what_each_was(
    made_runs: MadeRuns, control: tuple[RunControl, list[int | None]]
) -> None:
    one, other = made_runs.add("Comedy"), made_runs.add("Drama")
    requests.set_priority(made_runs.folder, [other], 3)
    assert control[0].raise_priority([one, other], 1) == "priority of 2 runs is now higher"
    assert [requests.priority(made_runs.folder, r) for r in (one, other)] == [1, 4]
    assert control[0].raise_priority([one], -2) == "priority of 1 run is now -1"
    control[0].undo()
    control[0].undo()
    assert [requests.priority(made_runs.folder, r) for r in (one, other)] == [0, 3]


def test_pause_resume_and_their_undo(control: tuple[RunControl, list[int | None]]) -> None:
    assert "paused" in control[0].toggle_pause()
    assert control[0].is_paused()
    assert "goes on" in control[0].toggle_pause()
    assert not control[0].is_paused()
    control[0].undo()
    assert control[0].is_paused()
    control[0].undo()
    assert not control[0].is_paused()


def test_held_runs_wait_go_on_and_each_is_undone(
    made_runs: MadeRuns, control: tuple[RunControl, list[int | None]]
) -> None:
    panel, started = control
    one, two = made_runs.add("Comedy", "base"), made_runs.add("Drama", "base")

    def held() -> list[bool]:
        return [(made_runs.folder / name / "paused").exists() for name in (one, two)]

    assert "held 1 run" in panel.toggle_hold([one])
    assert held() == [True, False]
    assert "held 1 run" in panel.toggle_hold([one, two])
    assert held() == [True, True]
    panel.undo()
    assert held() == [True, False]
    panel.toggle_hold([two])
    before = len(started)
    assert "released 2 runs" in panel.toggle_hold([one, two])
    assert held() == [False, False]
    assert len(started) > before
    panel.undo()
    assert held() == [True, True]


def test_retry_starts_a_queue_without_a_supervisor(
    made_runs: MadeRuns, control: tuple[RunControl, list[int | None]]
) -> None:
    run = made_runs.add()
    assert control[0].retry([run]) == "the queue is being worked on"
    assert control[1] == [None]
    assert control[0].undos == []


def test_a_launch_queues_missing_runs_and_ended_ones_again(
    made_runs: MadeRuns, control: tuple[RunControl, list[int | None]], tmp_path: Path
) -> None:
    failed = made_runs.add("Comedy", state="failed", epochs=1)
    elsewhere = MadeRuns(tmp_path / "elsewhere")
    new = elsewhere.add("Drama")
    missing, ended = read_spec(elsewhere.folder / new), read_spec(made_runs.folder / failed)
    done = control[0].launch([missing], again=[ended], jobs=3)
    assert done == "queued Drama · base and 1 more (u undoes)"
    assert states(made_runs.folder) == {failed: "queued", new: "queued"}
    assert control[1] == [3]
    control[0].undo()
    assert states(made_runs.folder) == {failed: "cancelled", new: "cancelled"}


def test_read_only_raises_before_anything_is_done(made_runs: MadeRuns) -> None:
    run = made_runs.add()
    control = RunControl(made_runs.folder, read_only=True)
    forbidden: tuple[Callable[[], str], ...] = (
        lambda: control.cancel([run]),
        lambda: control.retry([run]),
        lambda: control.raise_priority([run], 1),
        lambda: control.launch([read_spec(made_runs.folder / run)]),
        control.toggle_pause,
        control.undo,
    )
    for request in forbidden:
        with pytest.raises(ReadOnlyError, match="read-only: start without --read-only"):
            request()
    assert states(made_runs.folder) == {run: "queued"}
    assert not control.is_paused()


def test_a_request_for_a_run_that_shares_layers_names_all_of_them(
    made_runs: MadeRuns, control: tuple[RunControl, list[int | None]]
) -> None:
    genres = ("Action", "Comedy", "Drama")
    names = queue(made_runs.folder, *(make_spec(genre, group=genres) for genre in genres))
    assert control[0].cancel(names[1:2]) == "cancelled 3 runs (u undoes)"
    assert states(made_runs.folder) == dict.fromkeys(names, "cancelled")
    assert control[0].retry(names[:1]) == "queued 3 runs (u undoes)"
    assert states(made_runs.folder) == dict.fromkeys(names, "queued")
