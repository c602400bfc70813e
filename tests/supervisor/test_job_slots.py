"""Which slot a run gets, what counts as the same need of memory, and how an exit is described."""

from __future__ import annotations

from typing import Any

import pytest

from postertui.study import Variant
from postertui.supervisor.backends.devices import Slot
from postertui.supervisor.backends.job_process import JobProcess, describe_exit, memory_shape
from postertui.supervisor.backends.local import free_slots
from tests.support.supervisor import make_spec

A0, A1, B0 = Slot("gpu:0", 0), Slot("gpu:0", 1), Slot("gpu:1", 0)


def job(slot: Slot, *runs: str, **state: Any) -> JobProcess:
    """A job without a process."""
    return JobProcess(None, None, -1, slot, runs, **state)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("jobs", "shared", "exclusive"),
    [
        ([], [A0, A1, B0], [A0, A1, B0]),
        ([job(A0, "run")], [A1, B0], [B0]),
        ([job(A0, "run", exclusive=True)], [B0], [B0]),
        ([job(B0)], [B0, A0, A1], [B0, A0, A1]),
        ([job(A0, is_retiring=True)], [A1, B0], [A1, B0]),
        ([job(A0, "run"), job(B0, "run")], [A1], []),
    ],
    ids=["none", "busy", "exclusive", "warm first", "retiring", "both devices"],
)
def test_free_slots(jobs: list[JobProcess], shared: list[Slot], exclusive: list[Slot]) -> None:
    assert free_slots([A0, A1, B0], jobs, exclusive=False) == shared
    assert free_slots([A0, A1, B0], jobs, exclusive=True) == exclusive


def test_runs_that_differ_in_arguments_of_compiled_code_need_the_same_memory() -> None:
    base = Variant(name="base")
    shape = memory_shape(make_spec(variant=base))
    assert memory_shape(make_spec("Drama", seed=3, variant=Variant(name="x", epochs=2))) == shape
    assert memory_shape(make_spec(variant=Variant(name="base", fc1=512))) != shape
    assert memory_shape(make_spec(variant=base, train_cohorts=(0, 3))) != shape


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (3, "its job ended with exit code 3"),
        (-11, "its job was killed by SIGSEGV"),
        (-9, "its job was killed by SIGKILL (out of memory?)"),
        (-200, "its job was killed by signal 200"),
    ],
)
def test_describe_exit(code: int, text: str) -> None:
    assert describe_exit(code) == text
