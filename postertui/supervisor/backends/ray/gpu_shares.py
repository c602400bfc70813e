"""The share of a GPU that a run gets."""

from __future__ import annotations

import math

#: How much more memory than measured a run gets, as a factor.
MARGIN = 1.25

#: The smallest share.
MIN_SHARE = 1 / 16


def share_for_usage(used: float) -> float:
    """The share for jobs that use the fraction `used` of a GPU's memory: 1 / a whole number.

    >>> share_for_usage(0.21), share_for_usage(0.7), share_for_usage(0.001)
    (0.3333333333333333, 1.0, 0.0625)
    """
    if not used:
        return MIN_SHARE
    return 1 / max(1, min(math.floor(1 / (used * MARGIN)), round(1 / MIN_SHARE)))


class GpuShares:
    """The share that was asked for; else the one that follows from the memory used so far.

    Where the study does not say, the first runs get a whole GPU each, and the most memory that one
    of them used decides for the next ones.
    """

    def __init__(self) -> None:
        self._requested: float | None = None
        self._jobs: int | None = None
        self._used: float | None = None

    def set_limits(self, gpu: float | None, jobs: int | None) -> None:
        self._requested, self._jobs = gpu, jobs

    def record_usage(self, used: float) -> bool:
        """Record the memory that a job uses; whether the next runs get another share."""
        before = self.gpu(exclusive=False, on_cluster=1)
        self._used = max(used, self._used or 0.0)
        return self.gpu(exclusive=False, on_cluster=1) != before

    def gpu(self, *, exclusive: bool, on_cluster: float) -> float:
        """The share for the next run; 0 on a cluster without GPUs."""
        if not on_cluster:
            return 0.0
        if exclusive:
            return 1.0
        if self._requested is not None:
            return self._requested
        if self._jobs is not None:
            return 1 / self._jobs
        return 1.0 if self._used is None else share_for_usage(self._used)

    def free_tasks(self, tasks: int, on_cluster: float = 0) -> int:
        """How many more tasks there may be; without GPUs, `jobs` bounds them all."""
        if self._jobs is None or on_cluster:
            return 1 << 30
        return max(0, self._jobs - tasks)
