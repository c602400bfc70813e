"""The interface behind which runs are trained: by jobs on this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Assignment:
    """A worker and the run that it trains.

    Parameters
    ----------
    run
        The run's name; None for a worker that waits for one.
    worker
        What identifies the worker on the screen.
    device
        `cpu`, `gpu:<n>`, or on a cluster the host's name and one of these.
    pid
        The process that trains, where it is on this machine.
    memory
        Its resident memory in bytes, where that is known.
    """

    run: str | None
    worker: str
    device: str
    pid: int | None = None
    memory: int | None = None


@dataclass(frozen=True)
class RunReport:
    """How a submitted run left its worker.

    Attributes
    ----------
    run
        The run's name.
    kind
        `released`: the worker is done with it, and the run's events say how it ended. `lost`: the
        worker is gone. `held`: another process has the run's lock. `full`: there was no room to
        write on disk.
    reason
        Why, where that is not in the run's events.
    """

    run: str
    kind: Literal["released", "lost", "held", "full"]
    reason: str = ""


class Backend(Protocol):
    """Trains runs. The supervisor decides which, and writes the end of those that are lost."""

    def slot_count(self) -> int:
        """How many runs are trained at a time; 0 where that changes as machines come and go."""
        ...

    def capacity(self, *, exclusive: bool = False) -> int:
        """How many more runs can be submitted now; `exclusive`: each on a device of its own."""
        ...

    def submit(self, runs: Sequence[str], *, exclusive: bool = False) -> None:
        """Give a run to a worker, or the runs of one unit to the same one. Requires capacity.

        A report follows for each of the runs.
        """
        ...

    def kill(self, run: str, reason: str) -> None:
        """End the worker of the run, and of its unit, at once.

        Reports `lost` with this reason follow.
        """
        ...

    def runs_in_progress(self) -> list[str]:
        """The runs that an earlier supervisor submitted and that are still being trained."""
        ...

    def blocking_reason(self) -> str | None:
        """Why no run can be trained, as a text for the user; None where nothing prevents it."""
        ...

    def warning(self) -> str | None:
        """What the user should know about the devices, as a text; None for nothing."""
        ...

    def memory(self) -> str:
        """How much memory jobs may use, in words."""
        ...

    def assignments(self) -> list[Assignment]:
        """All workers and their runs."""
        ...

    def poll(self, timeout: float) -> list[RunReport]:
        """Reports since the last call; waits up to `timeout` seconds for the first one."""
        ...

    def resize(self, jobs: int) -> None:
        """Train at most this many runs at a time per device from now on."""
        ...

    def close(self, patience: float) -> list[RunReport]:
        """Ask every worker to stop, and kill those that have not after `patience` seconds."""
        ...
