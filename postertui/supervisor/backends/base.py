"""The interface behind which jobs run: this machine's, or another way later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Assignment:
    """A run that some worker has. `run` is None for a worker that waits."""

    run: str | None
    worker: str
    device: str
    pid: int | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Report:
    """What happened to a submitted run, as far as the way of running jobs can tell.

    `released`: its worker is through with it, however that ended; the run's events say how.
    `lost`: its worker is gone, for `reason`. `held`: somebody else works on the run.
    `full`: there was no room left to write on disk.
    """

    run: str
    kind: Literal["released", "lost", "held", "full"]
    reason: str = ""


class Backend(Protocol):
    """Runs jobs. Nothing here decides what is run or writes a run's end."""

    def slots(self) -> int:
        """How many runs are trained at a time; 0 where that changes as machines come and go."""
        ...

    def capacity(self, *, alone: bool = False) -> int:
        """How many more runs can be submitted now; `alone`: with a device to themselves."""
        ...

    def submit(self, run: str, *, alone: bool = False) -> None:
        """Give the run to a worker. Only with capacity left."""
        ...

    def cancel(self, run: str, reason: str) -> None:
        """End the run's worker at once; `lost` with this reason will follow."""
        ...

    def held(self) -> list[str]:
        """The runs that an earlier supervisor submitted and that are still worked on."""
        ...

    def trouble(self) -> str | None:
        """What keeps runs from being worked on, for people; None where nothing does."""
        ...

    def assignments(self) -> list[Assignment]:
        """The workers and what they do."""
        ...

    def reports(self, timeout: float) -> list[Report]:
        """What happened since the last call; waits up to `timeout` seconds for the first."""
        ...

    def resize(self, jobs: int) -> None:
        """From now on, at most so many runs at a time per device."""
        ...

    def close(self, patience: float) -> list[Report]:
        """Ask every worker to stop, end those that have not after `patience` seconds."""
        ...
