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
    """Append the event that `decide` returns for the run's lifecycle, and withdraw its cancel.

    Returns True where an event was appended, False where `decide` returned None, and None where
    another process holds the run. Raises `DamagedEventsError`, and `OSError` where the disk is
    full.
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
