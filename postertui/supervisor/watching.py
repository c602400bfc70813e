"""Runs that somebody trains: how long they have been silent, and how long they may be."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from postertui.runs import layout
from postertui.runs.events import DamagedEventsError
from postertui.supervisor.looking import identity_of
from postertui.supervisor.settle import RunLifecycle, read_lifecycle


@dataclass(frozen=True)
class Limits:
    """When a run is given up. Seconds; `stall_factor` times the median epoch.

    A first epoch takes compilation and moving data, so it is waited for longer.
    """

    stall_least: float = 120.0
    stall_factor: float = 20.0
    stall_first: float = 1800.0

    @classmethod
    def from_environment(cls) -> Limits:
        """POSTERTUI_STALL sets the least and the first wait, for slow disks or tests."""
        stall = os.environ.get("POSTERTUI_STALL")
        return cls(float(stall), 3.0, float(stall)) if stall else cls()

    def patience(self, epoch_seconds: float | None) -> float:
        """How long a run may be silent whose median epoch takes so long."""
        if epoch_seconds is None:
            return self.stall_first
        return max(self.stall_least, self.stall_factor * epoch_seconds)


@dataclass
class Watched:
    """A run that somebody trains: `size` of its events, and since when it has not grown."""

    size: int
    since: float
    size_at_start: int
    standing: RunLifecycle


def watch(path: Path, state: RunLifecycle) -> Watched:
    """The run in `path`, watched from now on."""
    size = identity_of(path / layout.EVENTS)[1]
    return Watched(size, time.monotonic(), size, state)


def standing_or(path: Path, otherwise: RunLifecycle) -> RunLifecycle:
    """How the run in `path` stands, or `otherwise` where its events cannot be read."""
    try:
        return read_lifecycle(path)
    except (DamagedEventsError, OSError):
        return otherwise
