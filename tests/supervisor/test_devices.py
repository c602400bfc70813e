"""Which jobs run where, how many at a time, and in which order."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postertui.supervisor.backends import devices, job_process, local
from postertui.supervisor.backends.devices import DeviceChoice, Slot, make_slots
from postertui.supervisor.backends.job_process import job_environment
from postertui.supervisor.backends.local import LocalJobs
from postertui.supervisor.queue import QueuedRun, RunQueue, in_order
from tests.support.supervisor import assert_as_if_undisturbed, events_of, make_spec, queue

entries = st.lists(
    st.builds(
        QueuedRun,
        run=st.uuids().map(str),
        genre=st.sampled_from("ABC"),
        created=st.floats(0, 100),
        priority=st.integers(-1, 1),
        paused=st.booleans(),
    ),
    max_size=12,
)


@given(waiting=entries, current=st.sampled_from(["A", "B", None]))
def test_order_is_by_priority_then_genre_by_genre(
    waiting: list[QueuedRun], current: str | None
) -> None:
    order = in_order(waiting, current)
    assert sorted(e.run for e in order) == sorted(e.run for e in waiting if not e.paused)
    assert [e.priority for e in order] == sorted((e.priority for e in order), reverse=True)
    for level in (-1, 0, 1):
        genres = [e.genre for e in order if e.priority == level]
        firsts = list(dict.fromkeys(genres))
        assert genres == sorted(genres, key=firsts.index)
        if current in genres:
            assert firsts[0] == current
        for genre in firsts:
            times = [e.created for e in order if (e.priority, e.genre) == (level, genre)]
            assert times == sorted(times)


@given(
    changes=st.lists(
        st.one_of(
            st.builds(
                QueuedRun,
                run=st.sampled_from("abcdef"),
                genre=st.sampled_from("ABC"),
                created=st.integers(0, 3),
                priority=st.integers(0, 1),
                paused=st.booleans(),
            ),
            st.sampled_from("abcdef"),
        ),
        max_size=30,
    ),
    current=st.sampled_from(["A", None]),
)
def test_the_first_of_a_queue_is_the_first_in_order(
    changes: list[QueuedRun | str], current: str | None
) -> None:
    queued, waiting = RunQueue(), dict[str, QueuedRun]()
    for change in changes:
        if isinstance(change, QueuedRun):
            queued.put(change)
            waiting[change.run] = change
        else:
            queued.remove(change)
            waiting.pop(change, None)
        assert queued.first(current) == next(iter(in_order(waiting.values(), current)), None)
        assert set(queued) == set(waiting)


def test_jobs_on_the_cpu_are_one_per_core_unless_said_otherwise() -> None:
    assert make_slots(None) == [Slot("cpu", n) for n in range(devices.default_cpu_jobs())]
    assert make_slots(3) == [Slot("cpu", n) for n in range(3)]


def test_jobs_on_gpus_are_so_many_on_each_and_spread() -> None:
    assert make_slots(None, ("gpu:0", "gpu:1")) == [Slot("gpu:0", 0), Slot("gpu:1", 0)]
    assert [s.device for s in make_slots(2, ("gpu:0", "gpu:1"))] == ["gpu:0", "gpu:1"] * 2


def test_job_sees_its_own_device_and_one_thread() -> None:
    gpu = job_environment(Slot("gpu:3", 0))
    assert (gpu["CUDA_VISIBLE_DEVICES"], gpu["POSTERTUI_DEVICE"]) == ("3", "gpu:3")
    assert gpu["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    cpu = job_environment(Slot("cpu", 0))
    assert cpu["CUDA_VISIBLE_DEVICES"] == "-1"
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "POSTERTUI_THREADS"):
        assert cpu[name] == "1"


def test_runs_are_spread_over_gpus_and_one_alone_waits_for_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = DeviceChoice(("gpu:0", "gpu:1"))
    monkeypatch.setattr(local, "find_devices", lambda *_: two)
    monkeypatch.setenv("CHEAP_SECONDS", "0.2")
    names = queue(folder, *(make_spec(seed=seed, epochs=500) for seed in range(4)))
    jobs = LocalJobs(folder, jobs=2)
    assert (jobs.capacity(), jobs.capacity(exclusive=True)) == (4, 4)
    jobs.submit([names[0]])
    jobs.submit([names[1]])
    assert sorted(a.device for a in jobs.assignments()) == ["gpu:0", "gpu:1"]
    assert (jobs.capacity(), jobs.capacity(exclusive=True)) == (2, 0)
    jobs.kill(names[0], "make room")
    while not (reports := jobs.poll(1.0)):
        pass
    assert [(r.run, r.kind, r.reason) for r in reports] == [(names[0], "lost", "make room")]
    assert jobs.capacity(exclusive=True) > 0
    jobs.submit([names[2]], exclusive=True)
    assert jobs.capacity() == 1  # the other GPU's second place
    lost = jobs.close(20.0)
    assert {r.run for r in lost} == {names[1], names[2]}
    assert jobs.assignments() == []


def test_job_that_has_grown_is_replaced(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postertui.supervisor.service import Supervisor

    sizes = iter([100 << 20, 100 << 20, 100 << 20])
    monkeypatch.setattr(job_process, "memory_of", lambda _: next(sizes, 2 << 30))
    monkeypatch.setattr(local, "MEMORY_INTERVAL", 1e9)
    specs = [make_spec(seed=seed, epochs=1) for seed in range(6)]
    names = queue(folder, *specs)
    supervisor = Supervisor(folder, LocalJobs(folder, jobs=1))
    supervisor.run()
    supervisor.finish()
    pids = [events_of(folder, name)[0]["pid"] for name in names]
    assert pids[0] == pids[1] == pids[2]
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    assert_as_if_undisturbed(folder, tmp_path, *specs)


def test_what_another_shape_needs_is_no_growth(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postertui.study import Variant
    from postertui.supervisor.service import Supervisor

    sizes = iter([100 << 20])
    monkeypatch.setattr(job_process, "memory_of", lambda _: next(sizes, 2 << 30))
    monkeypatch.setattr(local, "MEMORY_INTERVAL", 1e9)
    wide = Variant(name="wide", fc1=4096, epochs=1)
    others = [make_spec("Drama", seed=seed, epochs=1) for seed in range(3)]
    others = [msgspec.structs.replace(spec, variant=wide) for spec in others]
    names = queue(folder, make_spec("Comedy", epochs=1), *others)
    supervisor = Supervisor(folder, LocalJobs(folder, jobs=1))
    supervisor.run()
    supervisor.finish()
    assert len({events_of(folder, name)[0]["pid"] for name in names}) == 1


@pytest.mark.parametrize(
    ("cores", "memory", "gpus", "most"),
    [(2, 64 << 30, 0, 16), (64, 1 << 30, 0, 3), (64, 0, 0, 1), (2, 64 << 30, 4, 16), (1, 0, 3, 3)],
)
def test_jobs_are_no_more_than_the_machine_can_hold(
    monkeypatch: pytest.MonkeyPatch, cores: int, memory: int, gpus: int, most: int
) -> None:
    monkeypatch.setattr(devices, "usable_cores", lambda _root: cores)
    monkeypatch.setattr(devices, "usable_memory", lambda _root: memory)
    slots = make_slots(10_000, tuple(f"gpu:{n}" for n in range(gpus)))
    assert len(slots) == most
    assert len(set(slots)) == most
