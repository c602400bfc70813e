"""How much of a GPU a run gets."""

from __future__ import annotations

import math

#: Room beside what was measured, and the smallest share that is ever used.
MARGIN = 1.25
LEAST = 1 / 16


def share_for(used: float) -> float:
    """The share of a GPU for jobs that use so much of its memory: one over a whole number.

    >>> share_for(0.21), share_for(0.7), share_for(0.001)
    (0.3333333333333333, 1.0, 0.0625)
    """
    return 1 / max(1, min(math.floor(1 / (used * MARGIN)), round(1 / LEAST))) if used else LEAST


class Shares:
    """What was asked for, what was measured, and what follows.

    Without a word from the study, the first runs have a GPU to themselves; what the largest of
    them uses decides for the next.
    """

    def __init__(self) -> None:
        self._asked: float | None = None
        self._jobs: int | None = None
        self._used: float | None = None

    def ask(self, gpu: float | None, jobs: int | None) -> None:
        self._asked, self._jobs = gpu, jobs

    def measure(self, used: float) -> bool:
        """Note what a job uses; whether its like shall have another share from now on."""
        before = self.gpu(alone=False, on_cluster=1)
        self._used = max(used, self._used or 0.0)
        return self.gpu(alone=False, on_cluster=1) != before

    def gpu(self, *, alone: bool, on_cluster: float) -> float:
        """The share for the next run; 0 on a cluster without GPUs."""
        if not on_cluster:
            return 0.0
        if alone:
            return 1.0
        if self._asked is not None:
            return self._asked
        if self._jobs is not None:
            return 1 / self._jobs
        return 1.0 if self._used is None else share_for(self._used)

    def room(self, tasks: int, on_cluster: float = 0) -> int:
        """How many more tasks there may be; without GPUs, `jobs` bounds them all."""
        if self._jobs is None or on_cluster:
            return 1 << 30
        return max(0, self._jobs - tasks)
