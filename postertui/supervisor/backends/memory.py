"""How much memory a job may use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from postertui.system.cgroups import usable_memory
from postertui.system.errors import UserError

#: Sets the limit of each job, in megabytes.
VARIABLE = "POSTERTUI_JOB_MEMORY_MB"

#: What jobs leave of the memory there is to supervisor and clients, in bytes, and as a share of it
#: to everything else.
RESERVED = 96 << 20
RESERVED_SHARE = 0.05


@dataclass(frozen=True)
class MemoryBudget:
    """The limit of each job, or of all together, in bytes; None for no limit."""

    per_job: int | None = None
    total: int | None = None

    def limit(self, jobs: int) -> int | None:
        """The limit of each job where there are `jobs` of them."""
        if self.per_job is not None or self.total is None:
            return self.per_job
        return self.total // max(1, jobs)

    def describe(self) -> str:
        if self.per_job is not None:
            return f"{self.per_job >> 20} MB for each job"
        return f"{(self.total or 0) >> 20} MB for all jobs together"


def memory_budget(environment: Mapping[str, str] = os.environ) -> MemoryBudget:
    """The budget that POSTERTUI_JOB_MEMORY_MB sets, else most of the memory there is.

    Raises `UserError` where that variable is no number.
    """
    if given := environment.get(VARIABLE):
        if not given.isdecimal():
            raise UserError(f"{VARIABLE}={given!r} is not a number of megabytes")
        return MemoryBudget(per_job=int(given) << 20)
    return MemoryBudget(total=int(usable_memory() * (1 - RESERVED_SHARE)) - RESERVED)
