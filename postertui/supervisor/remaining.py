"""How long runs still take: one estimate for the command line, the form, the queue and a run.

It adds up epochs, overheads and features as `durations` has them. Where a part of the epochs was
never measured there is no estimate: layers of a network that are trained take a hundred times as
long as a head on features.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator, Sequence

from postertui.runs.spec import RunSpec
from postertui.runs.store.run import Run
from postertui.supervisor.durations import Durations, readiness_in
from postertui.supervisor.run_progress import RunProgress, progress_of, progress_of_spec

#: Seconds without a run after which a job has ended: jobs end when nothing waits.
IDLE_JOB_ENDS = 5.0


def estimate(
    runs: Sequence[RunProgress], durations: Durations, jobs: int, now: float
) -> float | None:
    """How long runs still take.

    Those that run go first, then those that wait, in their order, each to the job that is free
    first. A job that does not run yet has to start, and each compiles a shape once.

    Parameters
    ----------
    runs
        The runs; those that neither run nor wait do not count.
    durations
        What past runs took.
    jobs
        How many runs are trained at a time.
    now
        The time, in seconds since 1970.

    Returns
    -------
    float or None
        Seconds until all are done; None where an epoch of one was never measured.
    """
    available = {name: set(cohorts) for name, cohorts in durations.cohorts.items()}
    running = _one_of_each_unit(r for r in runs if r.is_running)
    units = {r.unit for r in running}
    waiting = _one_of_each_unit(r for r in runs if r.is_waiting and r.unit not in units - {""})
    idle = _idle_jobs(durations, {r.job for r in running}, now)
    slots: list[tuple[float, int]] = []
    compiled: list[set[str]] = []
    for run in running:
        job = run.job or next(idle, "")
        seconds = durations.remaining(run, now, durations.readiness(run, job))
        if seconds is None:
            return None
        if not run.epochs:
            features = durations.feature_seconds(run, available)
            seconds += max(0.0, features - run.feature_seconds)
        shapes = {run.shape, *durations.job_shapes.get(job, ())}
        if len(slots) < jobs or not slots:
            heapq.heappush(slots, (seconds, len(slots)))
            compiled.append(shapes)
        else:
            free, slot = slots[0]
            heapq.heapreplace(slots, (free + seconds, slot))
            compiled[slot] |= shapes
    while len(slots) < max(1, jobs):
        heapq.heappush(slots, (0.0, len(slots)))
        compiled.append(set(durations.job_shapes.get(next(idle, ""), ())))
    for run in waiting:
        free, slot = slots[0]
        seconds = durations.remaining(run, now, readiness_in(run.shape, compiled[slot]))
        if seconds is None:
            return None
        compiled[slot].add(run.shape)
        seconds += durations.feature_seconds(run, available)
        heapq.heapreplace(slots, (free + seconds, slot))
    return max(slots)[0]


def _one_of_each_unit(runs: Iterable[RunProgress]) -> list[RunProgress]:
    units: set[str] = set()
    chosen = []
    for run in runs:
        if not run.unit:
            chosen.append(run)
        elif run.unit not in units:
            units.add(run.unit)
            chosen.append(run)
    return chosen


def _idle_jobs(durations: Durations, busy: set[str], now: float) -> Iterator[str]:
    """Jobs between two runs, the one that ended its last run newest first."""
    idle = [
        (ended, job)
        for job, ended in durations.job_ends.items()
        if job and job not in busy and now - ended < IDLE_JOB_ENDS
    ]
    return iter([job for _, job in sorted(idle, reverse=True)])


def estimate_new(specs: Iterable[RunSpec], runs: Iterable[Run], jobs: int) -> float | None:
    """How long new runs will take, `jobs` at a time, by past `runs`; None without any."""
    durations = Durations(progress_of(run) for run in runs)
    return estimate([progress_of_spec(spec) for spec in specs], durations, jobs, time.time())
