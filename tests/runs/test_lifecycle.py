"""What a run's events say of its course: which losses count, and which epochs."""

from __future__ import annotations

from typing import Any

import pytest

from postertui.runs import lifecycle
from postertui.runs.lifecycle import RunLifecycle, effective_epochs, median_epoch_seconds


def event(kind: str, attempt: int = 1, **fields: Any) -> dict[str, Any]:
    return {"event": kind, "attempt": attempt, **fields}


START = event("start", host="here", boot="this")
BEFORE_RESTART = event("start", host="here", boot="another")
ELSEWHERE = event("start", host="there", boot="another")
OLD = event("start")
LOST = event("end", status="interrupted", fault=True)
STOPPED = event("end", status="interrupted", fault=False)
NO_MEMORY = event("end", status="interrupted", fault=True, cause=lifecycle.DEVICE_MEMORY)
REQUEUE = event("requeue")


@pytest.mark.parametrize(
    ("events", "faults"),
    [
        ([START], 0),
        ([START, LOST], 1),
        ([START, LOST, START, LOST], 2),
        ([START, STOPPED, START, STOPPED], 0),
        # Nobody could write the end of the attempt before.
        ([START, START], 1),
        ([OLD, START], 1),
        ([ELSEWHERE, START], 1),
        ([BEFORE_RESTART, START], 0),
        ([START, LOST, REQUEUE], 0),
        ([START, LOST, REQUEUE, START, START], 1),
    ],
)
def test_losses_count_since_the_run_was_asked_for(
    events: list[dict[str, Any]], faults: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "gethostname", lambda: "here")
    monkeypatch.setattr(lifecycle, "boot_id", lambda: "this")
    assert RunLifecycle.of(events).faults == faults


def test_a_run_needs_a_device_to_itself_after_an_end_for_lack_of_memory_alone() -> None:
    def needs(*events: dict[str, Any]) -> bool:
        return RunLifecycle.of(events).needs_exclusive_device

    assert needs(START, NO_MEMORY)
    assert needs(START, NO_MEMORY, START)
    assert not needs(START, NO_MEMORY, START, LOST)
    assert not needs(START, NO_MEMORY, REQUEUE)


def test_epochs_that_were_written_again_replace_the_old_ones_and_all_after_them() -> None:
    epochs = [event("epoch", epoch=n) for n in (1, 2, 3)]
    again = [event("epoch", 2, epoch=n) for n in (2, 3)]

    def kept(*events: dict[str, Any]) -> list[tuple[int, int]]:
        return [(e["attempt"], e["epoch"]) for e in effective_epochs(events)]

    assert kept(START, *epochs) == [(1, 1), (1, 2), (1, 3)]
    assert kept(*epochs, event("start", 2, from_epoch=3)) == [(1, 1), (1, 2)]
    assert kept(*epochs, event("start", 2)) == []
    assert kept(*epochs, LOST, again[0]) == [(1, 1), (2, 2)]
    assert kept(*epochs, *again) == [(1, 1), (2, 2), (2, 3)]


def test_the_pace_of_a_run_is_that_of_its_epochs_alone() -> None:
    epochs = [event("epoch", epoch=n, seconds=s) for n, s in enumerate([9.0, 1.0, 2.0], 1)]
    others = [event("features", seconds=500.0), event("epoch", epoch=4), event("end", seconds=70.0)]
    assert median_epoch_seconds([*epochs, *others]) == 2.0
    assert median_epoch_seconds(others) is None
