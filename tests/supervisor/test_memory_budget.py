"""How much memory each job may use, and how many jobs there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.supervisor.backends import devices
from postertui.supervisor.backends.devices import default_cpu_jobs
from postertui.supervisor.backends.memory import RESERVED, MemoryBudget, memory_budget
from postertui.system.cgroups import usable_memory
from postertui.system.errors import UserError

GB = 1 << 30


def test_what_there_is_is_divided_by_the_jobs_there_are() -> None:
    budget = MemoryBudget(total=12 * GB)
    assert [budget.limit(jobs) for jobs in (0, 1, 2, 4)] == [12 * GB, 12 * GB, 6 * GB, 3 * GB]
    assert MemoryBudget(per_job=GB, total=12 * GB).limit(4) == GB
    assert MemoryBudget().limit(4) is None


def test_budget_is_what_the_variable_says_or_most_of_the_memory() -> None:
    assert memory_budget({"POSTERTUI_JOB_MEMORY_MB": "512"}) == MemoryBudget(per_job=512 << 20)
    total = memory_budget({}).total
    assert total is not None
    assert usable_memory() * 0.9 - RESERVED < total < usable_memory() - RESERVED
    with pytest.raises(UserError, match="POSTERTUI_JOB_MEMORY_MB='lots' is not a number"):
        memory_budget({"POSTERTUI_JOB_MEMORY_MB": "lots"})


@pytest.mark.parametrize(
    ("cores", "memory", "jobs"),
    [(8, 64 * GB, 8), (8, 3 * GB, 3), (1, GB, 1), (4, GB // 2, 1), (2, 64 * GB, 2)],
)
def test_jobs_offered_are_those_that_cores_and_memory_carry(
    cores: int, memory: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "usable_cores", lambda _: cores)
    monkeypatch.setattr(devices, "usable_memory", lambda _: memory)
    assert default_cpu_jobs(Path("/")) == jobs
