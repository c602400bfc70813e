"""How long a run that is being trained may be silent before it is given up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError, Event
from postertui.runs.lifecycle import RunLifecycle, median_epoch_seconds, read_events
from postertui.supervisor.probe import file_stamp
from postertui.system.environment import read_number
from postertui.system.processes import Process


@dataclass(frozen=True)
class StallLimits:
    """When a silent run is given up.

    Attributes
    ----------
    least
        Never before this many seconds.
    factor
        After this many times its median epoch.
    first_epoch
        Before its second epoch, after this many seconds: compilation and moving data take time.
    """

    least: float = 120.0
    factor: float = 20.0
    first_epoch: float = 1800.0

    @classmethod
    def from_environment(cls) -> Self:
        """POSTERTUI_STALL sets `least` and `first_epoch`, for slow disks or tests.

        Raises `UserError` where it is no number of seconds.
        """
        if not os.environ.get("POSTERTUI_STALL"):
            return cls()
        seconds = read_number("POSTERTUI_STALL", cls.least)
        return cls(seconds, 3.0, seconds)

    def timeout(self, epoch_seconds: float | None) -> float:
        """How long a run may be silent whose median epoch takes `epoch_seconds`."""
        if epoch_seconds is None:
            return self.first_epoch
        return max(self.least, self.factor * epoch_seconds)


@dataclass
class ActiveRun:
    """A run that is being trained.

    Attributes
    ----------
    folder
        The run's folder.
    size, size_at_submit
        Bytes of its events; those when it was given to a job.
    unchanged_since
        The monotonic time, in seconds, at which the events last grew.
    unit
        Runs of one unit are trained together; a run by itself is its own.
    start
        The start of its newest attempt; None before that was written.
    epoch_seconds
        Its median epoch; None before its second.
    """

    folder: Path
    size: int
    unchanged_since: float
    size_at_submit: int
    unit: str
    start: Event | None = None
    epoch_seconds: float | None = None

    @property
    def run(self) -> str:
        """The run's name."""
        return self.folder.name

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the job that works on the run, where its newest start names it."""
        if (job := Process.from_event(self.start or {})) is not None:
            job.signal(number, holding=self.folder / layout.LOCK)

    @classmethod
    def observe(cls, folder: Path, unit: str = "") -> Self:
        """The run in `folder`, observed from now on; without a `unit`, it is one by itself."""
        size = file_stamp(folder / layout.EVENTS)[1]
        run = cls(folder, size, time.monotonic(), size, unit or folder.name)
        run._reread()
        return run

    def refresh(self, now: float) -> None:
        """Note whether the run's events have grown."""
        size = file_stamp(self.folder / layout.EVENTS)[1]
        if size != self.size:
            self.size, self.unchanged_since = size, now
            self._reread()

    def _reread(self) -> None:
        """Read the events; where that fails, what was read before stays."""
        try:
            events = read_events(self.folder)
        except (DamagedEventsError, OSError):
            return
        self.start = RunLifecycle.of(events).start
        self.epoch_seconds = median_epoch_seconds(events)


def stalled_runs(
    runs: Collection[ActiveRun], limits: StallLimits, now: float
) -> list[tuple[ActiveRun, float]]:
    """The runs that have been silent for too long, each with the seconds that it was allowed.

    Runs of one unit are silent only while all of them are.

    Parameters
    ----------
    runs
        Those that a job trains.
    limits
        How long they may be silent.
    now
        In seconds of the monotonic clock, as `ActiveRun.unchanged_since`.
    """
    written: dict[str, float] = {}
    for run in runs:
        written[run.unit] = max(run.unchanged_since, written.get(run.unit, run.unchanged_since))
    timeouts = [(run, limits.timeout(run.epoch_seconds)) for run in runs]
    return [(run, timeout) for run, timeout in timeouts if now - written[run.unit] >= timeout]
