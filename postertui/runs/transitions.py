"""Events that a run gets from another process than its job, always under the run's lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from postertui.runs import layout
from postertui.runs.events import EventWriter
from postertui.runs.lifecycle import RunLifecycle
from postertui.runs.lock import RunLock

#: The kind and fields of an event to append.
NewEvent = tuple[str, dict[str, Any]]

CANCELLED: NewEvent = ("end", {"status": "cancelled", "reason": "cancelled"})


def append_under_lock(
    run_folder: Path, decide: Callable[[RunLifecycle], NewEvent | None]
) -> bool | None:
    """Append one event to a run by its state, and withdraw its cancel.

    Parameters
    ----------
    decide
        Returns the event for the run's lifecycle; None leaves the run as it is.

    Returns
    -------
    bool or None
        Whether an event was appended; None where another process holds the run.

    Raises
    ------
    DamagedEventsError
        Where a line of the run's events is not an event.
    OSError
        Where the disk is full.
    """
    with RunLock(run_folder) as lock:
        if not lock.acquire():
            return None
        with EventWriter(run_folder / layout.EVENTS) as writer:
            event = decide(RunLifecycle.of(writer.events))
            if event is not None:
                kind, fields = event
                writer.append(kind, **fields)
        if event is not None:
            (run_folder / layout.CANCEL).unlink(missing_ok=True)
        return event is not None
