"""How long runs still take: overheads count once per run, jobs share the work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from postertui.runs.epoch_line import COLUMNS
from postertui.runs.store.columns import Epochs
from postertui.supervisor.durations import UNKNOWN_OVERHEAD, Durations
from postertui.supervisor.remaining import estimate
from postertui.supervisor.run_progress import RunProgress


def progress(
    shape: str = "a",
    *,
    epochs: int = 10,
    total: int = 10,
    pace: float = 2.0,
    started: float | None = 100.0,
    before: float = 0.0,
    after: float | None = None,
    job: str = "1",
    **more: Any,
) -> RunProgress:
    """A run whose epochs come every `pace` seconds from `before` seconds after its start on."""
    rows = np.full((epochs, len(COLUMNS)), np.nan)
    rows[:, COLUMNS.index("time")] = (started or 0) + before + pace * np.arange(1, epochs + 1)
    rows[:, COLUMNS.index("seconds")] = 0.9 * pace
    ended = None if after is None else (started or 0) + before + pace * epochs + after
    return RunProgress(
        shape,
        is_running=started is not None and after is None,
        is_waiting=started is None,
        total=total,
        epochs=epochs,
        history=Epochs(rows),
        job=job if started is not None else "",
        started=started,
        ended=ended,
        **more,
    )


def waiting(shape: str = "a", **more: Any) -> RunProgress:
    return progress(shape, epochs=0, started=None, **more)


def test_start_up_counts_once_a_job_and_compilation_with_each_run() -> None:
    first = progress(before=60.0, after=3.0)
    second = progress(before=5.0, after=3.0, started=184.0)
    durations = Durations([first, second])
    # Ten epochs of two seconds, what the second run took besides, and a second of handing over.
    assert durations.remaining(waiting(), 0.0) == pytest.approx(29.0)
    # With the first alone, nothing is known of runs in a warm job but their epochs.
    assert Durations([first]).remaining(waiting(), 0.0) == pytest.approx(20.0 + UNKNOWN_OVERHEAD)


def test_a_run_goes_by_its_own_pace_then_by_its_shapes() -> None:
    durations = Durations([progress("a", after=0.0), progress("b", pace=8.0, after=0.0, job="2")])
    assert durations.remaining(waiting("b"), 0.0) == pytest.approx(80.0 + UNKNOWN_OVERHEAD)
    slow = progress("a", epochs=4, pace=5.0)
    assert durations.remaining(slow, 120.0) == pytest.approx(30.0)
    # Of the epoch that is under way a part is over.
    assert durations.remaining(slow, 122.0) == pytest.approx(28.0)


def test_only_what_is_like_a_timed_run_has_an_estimate() -> None:
    timed = progress("a", after=0.0, kind="head", head_weights=1 << 16)
    durations = Durations([timed])
    near = waiting("b", kind="head", head_weights=1 << 18)
    assert durations.remaining(near, 0.0) == pytest.approx(20.0 + UNKNOWN_OVERHEAD)
    large = waiting("c", kind="head", head_weights=1 << 24)
    convolutional = waiting("d", kind="trained", head_weights=1 << 16)
    for unlike in (large, convolutional):
        assert durations.remaining(unlike, 0.0) is None
        assert estimate([near, unlike], durations, 2, 0.0) is None
    assert estimate([waiting()], Durations([]), 1, 0.0) is None


def test_jobs_share_the_work_and_wait_for_the_longest() -> None:
    durations = Durations([progress(after=0.0), progress("long", pace=10.0, after=0.0, job="2")])
    queue = [waiting() for _ in range(4)]
    assert estimate(queue, durations, 1, 120.0) == pytest.approx(80.0 + 4 * UNKNOWN_OVERHEAD)
    assert estimate(queue, durations, 2, 220.0) == pytest.approx(40.0 + 2 * UNKNOWN_OVERHEAD)
    assert estimate([*queue, waiting("long")], durations, 4, 220.0) == pytest.approx(
        120.0 + 2 * UNKNOWN_OVERHEAD
    )


def test_a_new_job_starts_once_and_compiles_each_shape_once() -> None:
    past = [
        progress(before=60.0, after=0.0),
        progress("b", before=7.0, after=0.0, started=180.0),
        progress(before=1.0, after=0.0, started=207.0),
    ]
    durations = Durations(past)
    queue = [waiting(), waiting(), waiting("b"), waiting("b")]
    # Four times twenty seconds of epochs, a start, a compilation, and twice neither.
    assert estimate(queue, durations, 1, 1e6) == pytest.approx(80.0 + 60.0 + 7.0 + 2 * 1.0)
    # The job of the past runs has started and compiled both, unless it ended long ago.
    assert estimate(queue, durations, 1, 230.0) == pytest.approx(80.0 + 4 * 1.0)
    assert estimate(queue, durations, 1, 240.0) == estimate(queue, durations, 1, 1e6)


def test_features_of_a_cohort_are_counted_for_its_first_run_alone() -> None:
    extracting = progress(before=30.0, after=0.0, extracted=130.0, features="f", cohorts=(0, 2))
    durations = Durations([extracting])
    plain = estimate([waiting(), waiting()], durations, 1, 150.0)
    same = waiting(features="f", cohorts=(0, 2))
    assert plain is not None
    assert estimate([same, same], durations, 1, 150.0) == pytest.approx(plain)
    further = waiting(features="f", cohorts=(0, 2, 3))
    assert estimate([further, further], durations, 1, 150.0) == pytest.approx(plain + 15.0)
    other = waiting(features="g", cohorts=(0, 2))
    assert estimate([other, other], durations, 1, 150.0) == pytest.approx(plain + 30.0)


def test_runs_that_stop_early_are_as_long_as_those_before() -> None:
    past = [
        progress(epochs=n, total=50, after=0.0, started=100.0 * n, stops_early=True)
        for n in (4, 6, 9)
    ]
    durations = Durations(past)
    new = waiting(total=50, stops_early=True)
    assert durations.remaining(new, 0.0) == pytest.approx(6 * 2.0)


def test_a_first_epoch_with_its_compilation_says_nothing_of_the_others() -> None:
    compiling = progress(epochs=1, pace=60.0, job="2")
    assert Durations([compiling]).remaining(waiting(), 0.0) is None
    durations = Durations([compiling, progress(epochs=5)])
    assert durations.remaining(waiting(), 0.0) == pytest.approx(20.0 + UNKNOWN_OVERHEAD)


def test_the_start_of_a_process_counts_where_a_job_has_to_start() -> None:
    durations = Durations(
        [progress(after=0.0, created=93.0), progress("b", after=0.0, job="2", created=50.0)]
    )
    assert estimate([waiting(), waiting()], durations, 1, 1e6) == pytest.approx(
        7.0 + 40.0 + 2 * UNKNOWN_OVERHEAD
    )


def test_only_what_runs_or_waits_counts_and_a_unit_once() -> None:
    done = progress(after=0.0)
    durations = Durations([done])
    one = estimate([waiting()], durations, 1, 1e6)
    assert one is not None
    assert one == pytest.approx(20.0 + UNKNOWN_OVERHEAD)
    assert estimate([done, waiting()], durations, 1, 1e6) == one
    assert estimate([done], durations, 1, 1e6) == 0.0
    together = [waiting(unit="u") for _ in range(3)]
    assert estimate(together, durations, 1, 1e6) == one
    assert estimate([*together, waiting(unit="v")], durations, 1, 1e6) == pytest.approx(2 * one)
    # What waits of a unit that runs is trained with it.
    running = progress(epochs=4, unit="u")
    alone = estimate([running], durations, 1, 108.0)
    assert alone == pytest.approx(12.0)
    assert estimate([running, *together], durations, 1, 108.0) == alone
    # Runs of no unit have none in common.
    running = progress(epochs=4)
    assert estimate([running, waiting()], durations, 1, 108.0) == pytest.approx(12.0 + one)


def test_a_waiting_run_goes_to_the_job_that_ended_its_last_run_newest() -> None:
    past = [
        progress(before=60.0, after=0.0),
        progress(before=1.0, after=0.0, started=180.0),
        progress("b", before=9.0, after=0.0, started=172.0, job="2"),
        progress("b", before=2.0, after=0.0, started=201.5, job="2", epochs=1),
    ]
    durations = Durations(past)
    assert durations.job_ends["1"] < durations.job_ends["2"] < 206.0
    # Job 2 has compiled b, but not a.
    warm, cold = (estimate([waiting(shape)], durations, 1, 205.6) for shape in ("b", "a"))
    assert warm is not None
    assert cold is not None
    assert cold - warm > 10.0
