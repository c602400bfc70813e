"""The states of a run, and the one fold over its events that decides which it is in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from statistics import median_high
from typing import Literal, Self

from postertui.runs import layout
from postertui.runs.bounds import FORMAT_VERSION
from postertui.runs.events import Event, read_events_from
from postertui.system.processes import boot_id
from postertui.system.regular_files import open_regular

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

#: The newest event that decides a run's state.
Milestone = Literal["start", "end", "requeue"]

#: States in which nothing more happens to a run unless it is queued again.
CLOSED_STATES: tuple[State, ...] = ("done", "failed", "cancelled")

#: States of runs that are yet to be finished.
OPEN_STATES: tuple[State, ...] = ("running", "queued", "interrupted")

#: The `cause` of an end for lack of device memory; the next attempt gets a device to itself.
DEVICE_MEMORY = "device-memory"


@dataclass(slots=True)
class RunLifecycle:
    """What a run's events say about its course so far. `apply` folds in one event.

    Attributes
    ----------
    attempt
        The number of the newest attempt, 0 before the first.
    start
        The newest `start` event.
    end
        The newest `end` event, unless the run was started or queued again since.
    milestone
        Which of `start`, `end` and `requeue` came last; None before the first.
    faults
        Attempts that were lost since the run was asked for. Attempts that were stopped on request
        or ended by a restart of the machine do not count.
    needs_exclusive_device
        Whether the newest attempt ended for lack of device memory.
    format_version
        The newest format among the events.
    """

    attempt: int = 0
    start: Event | None = None
    end: Event | None = None
    milestone: Milestone | None = None
    faults: int = 0
    needs_exclusive_device: bool = False
    format_version: int = FORMAT_VERSION

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """The lifecycle after all of `events`."""
        lifecycle = cls()
        for event in events:
            lifecycle.apply(event)
        return lifecycle

    def apply(self, event: Event) -> None:
        """Account for the next event; one of another kind only counts its attempt."""
        self.attempt = event["attempt"]
        self.format_version = max(self.format_version, event.get("v", FORMAT_VERSION))
        match event["event"]:
            case "start":
                self.faults += self.milestone == "start" and not machine_restarted(self.start)
                self.start, self.end, self.milestone = event, None, "start"
            case "end":
                self.faults += bool(event.get("fault"))
                self.needs_exclusive_device = event.get("cause") == DEVICE_MEMORY
                self.end, self.milestone = event, "end"
            case "requeue":
                self.faults, self.needs_exclusive_device = 0, False
                self.end, self.milestone = None, "requeue"

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of postertui wrote some of the events."""
        return self.format_version > FORMAT_VERSION

    @property
    def status(self) -> str | None:
        """The status of `end`."""
        return self.end.get("status") if self.end else None

    @property
    def is_started(self) -> bool:
        """Whether an attempt began whose end was not written."""
        return self.milestone == "start"

    @property
    def is_closed(self) -> bool:
        """Whether nothing more happens to the run unless it is queued again."""
        return is_closing(self.milestone, self.status)

    def state(self, *, locked: bool) -> State:
        """The run's state; `locked` says whether some process holds its lock."""
        match self.milestone:
            case None | "requeue":
                return "queued"
            case "start":
                return "running" if locked else "interrupted"
        return state_of_end(self.status)


def state_of_end(status: str | None) -> State:
    """The state of a run whose newest milestone is an end of this status."""
    match status:
        case "done" | "failed" | "cancelled" | "interrupted":
            return status
        case _:
            return "failed"


def is_closing(event: str | None, status: str | None) -> bool:
    """Whether an event closes its run.

    An end of a status that this version does not know closes it too: training on would be wrong.

    Parameters
    ----------
    event
        Its kind.
    status
        Of an `end`, else None.
    """
    return event == "end" and status != "interrupted"


def first_replaced_epoch(event: Event) -> int | None:
    """The epoch from which on `event` replaces what was written before; None where it does not.

    An attempt that starts over replaces earlier attempts' epochs from its first one on, and an
    epoch that is written again replaces the old one and all after it.
    """
    match event["event"]:
        case "epoch":
            first = event.get("epoch")
        case "start":
            first = event.get("from_epoch")
        case _:
            return None
    return first if isinstance(first, int) else 1


def effective_epochs(events: Iterable[Event]) -> list[Event]:
    """The `epoch` events that count, in order, without those that were replaced."""
    epochs: list[Event] = []
    for event in events:
        first = first_replaced_epoch(event)
        while first is not None and epochs and epochs[-1]["epoch"] >= first:
            epochs.pop()
        if event["event"] == "epoch":
            epochs.append(event)
    return epochs


def median_epoch_seconds(events: Iterable[Event]) -> float | None:
    """The (upper) median of the epochs' seconds; None where none says."""
    seconds = [
        event["seconds"]
        for event in events
        if event["event"] == "epoch" and isinstance(event.get("seconds"), int | float)
    ]
    return median_high(seconds) if seconds else None


def machine_restarted(start: Event | None) -> bool:
    """Whether this machine was restarted since the attempt that `start` began.

    False for an attempt on another machine, whose restarts cannot be seen from here.
    """
    if start is None or start.get("host", gethostname()) != gethostname():
        return False
    return bool(start.get("boot", boot_id()) != boot_id())


def read_events(run_folder: Path) -> list[Event]:
    """The run's whole events, read without its lock; none where there is no file yet.

    Raises
    ------
    DamagedEventsError
        Where a complete line is not an event.
    OSError
        Where the file cannot be read.
    """
    try:
        fd = open_regular(run_folder / layout.EVENTS, os.O_RDONLY)
    except FileNotFoundError:
        return []
    try:
        return read_events_from(fd)[0]
    finally:
        os.close(fd)


def read_lifecycle(run_folder: Path) -> RunLifecycle:
    """The run's lifecycle by its file. Raises as `read_events` does."""
    return RunLifecycle.of(read_events(run_folder))
