"""Ends that are written for a run by somebody other than its job, always under its lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from socket import gethostname
from typing import Any, NamedTuple

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError, Event, EventWriter, parse_events
from postertui.runs.lock import RunLock
from postertui.system.processes import boot_id
from postertui.system.text import strip_control_chars

#: A run that was lost this often since it was asked for is failed.
MAX_ATTEMPTS = 3

#: How many lines of the log go with the end of a run that failed.
LOG_LINES = 20

CLOSED = ("done", "failed", "cancelled")


class RunLifecycle(NamedTuple):
    """Where a run's events leave it.

    `milestone` is the newest of `start`, `end`, `requeue`, or None; `status` the status of that
    end. `faults` counts the attempts that were lost since the run was asked for, not those that
    somebody stopped or that a restart of the machine ended; `alone` says that the newest was lost
    for lack of device memory. `start` is the newest start, `epoch_seconds` the epochs' median.
    """

    milestone: str | None
    status: str | None
    faults: int
    alone: bool
    start: Event | None
    epoch_seconds: float | None

    @property
    def is_closed(self) -> bool:
        return self.milestone == "end" and self.status in CLOSED

    @property
    def is_started(self) -> bool:
        """Somebody began and has not said how it ended."""
        return self.milestone == "start"


#: Where a run stands before its first event.
NOTHING = RunLifecycle(None, None, 0, False, None, None)


def standing(events: Iterable[Event]) -> RunLifecycle:
    milestone: str | None = None
    status: str | None = None
    start: Event | None = None
    faults, alone = 0, False
    seconds: list[float] = []
    for event in events:
        kind = event["event"]
        match kind:
            case "start":
                faults += milestone == "start" and not _machine_restarted(start)
                start = event
            case "end":
                status = event.get("status")
                faults += bool(event.get("fault"))
                alone = event.get("cause") == "device-memory"
            case "requeue":
                faults, alone, status = 0, False, None
            case "epoch":
                if isinstance(took := event.get("seconds"), int | float):
                    seconds.append(took)
                continue
            case _:
                continue
        milestone = kind
    median = sorted(seconds)[len(seconds) // 2] if seconds else None
    return RunLifecycle(milestone, status, faults, alone, start, median)


def _machine_restarted(start: Event | None) -> bool:
    if start is None or start.get("host", gethostname()) != gethostname():
        # Of another machine's boots we know nothing.
        return False
    return bool(start.get("boot", boot_id()) != boot_id())


Decide = Callable[[RunLifecycle], tuple[str, dict[str, Any]] | None]


def append_under_lock(run_folder: Path, decide: Decide) -> bool | None:
    """Append the event that `decide` answers, given where the run stands.

    True where it was appended, False where `decide` wants none, None where somebody else holds
    the run. Raises `DamagedEventsError`, and `OSError` where the disk is full.
    """
    with RunLock(run_folder) as lock:
        if not lock.acquire():
            return None
        with EventWriter(run_folder / layout.EVENTS) as writer:
            decision = decide(standing(writer.events))
            if decision is not None:
                kind, fields = decision
                writer.append(kind, **fields)
        if decision is not None:
            (run_folder / layout.CANCEL).unlink(missing_ok=True)
        return decision is not None


def record_lost_run(
    run_folder: Path, reason: str, *, fault: bool = True, silent: bool = False
) -> bool | None:
    """Write the end that a run's job could not: interrupted, or failed after three losses.

    `silent` says that the job was gone before it could even append its start: that is counted
    too, so that such a run is not tried for ever. Otherwise a run that has an end is left as it is.
    """

    def decide(state: RunLifecycle) -> tuple[str, dict[str, Any]] | None:
        if state.is_closed or not (state.is_started or silent):
            return None
        if (run_folder / layout.CANCEL).exists():
            return "end", {"status": "cancelled", "reason": "cancelled"}
        if state.is_started and _machine_restarted(state.start):
            why = "the machine was restarted"
            return "end", {"status": "interrupted", "reason": why, "fault": False}
        lost = state.faults + 1
        if not fault or lost < MAX_ATTEMPTS:
            return "end", {"status": "interrupted", "reason": reason, "fault": fault}
        why = f"lost {lost} times, at last: {reason}; see `postertui log {run_folder.name}`"
        return "end", {
            "status": "failed",
            "reason": why,
            "fault": True,
            "log": log_tail(run_folder / layout.LOG),
        }

    return append_under_lock(run_folder, decide)


def log_tail(path: Path, lines: int = LOG_LINES, size: int = 16_384) -> list[str]:
    """The last lines of a log as harmless text, each at most 300 characters."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - size))
        text = file.read().decode("utf-8", "replace")
        return [line[:300] for line in strip_control_chars(text).splitlines()[-lines:]]
    return []


def is_open(run_folder: Path) -> bool:
    """Whether the run has still to be trained. Raises `DamagedEventsError`."""
    return not read_lifecycle(run_folder).is_closed


def read_lifecycle(run_folder: Path) -> RunLifecycle:
    """Where the run stands by its file, without its lock. Raises `DamagedEventsError`."""
    try:
        data = (run_folder / layout.EVENTS).read_bytes()
    except FileNotFoundError:
        data = b""
    return standing(parse_events(data)[0])


__all__ = [
    "MAX_ATTEMPTS",
    "DamagedEventsError",
    "RunLifecycle",
    "append_under_lock",
    "is_open",
    "log_tail",
    "read_lifecycle",
    "record_lost_run",
    "standing",
]
