"""How long runs still take, by the times that their events and those of past runs bear.

One estimate for the command line, the form, the queue and a single run. A run's time is that of
its epochs, from event to event, with what is saved between them, and an overhead: the start of its
attempt, compilation, features, predictions at its end. A job's first run pays for the start of the
process and for features too; the later ones, which are nearly all, do not, and are estimated by
each other.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from postertui.runs.events import Event
from postertui.runs.spec import RunSpec
from postertui.runs.store.columns import Epochs
from postertui.runs.store.run import Run
from postertui.study import Variant
from postertui.supervisor.units import unit_of

#: So many of the newest past runs of each shape are looked at.
NEWEST = 30

#: Seconds that a run in a warm job takes besides its epochs, until that has been measured: what it
#: was for small networks on two cores.
UNKNOWN_OVERHEAD = 0.2

#: A longer pause between two runs of a job is none of handing over.
LONGEST_GAP = 60.0


@dataclass(frozen=True)
class RunProgress:
    """How far a run is. Times are seconds since 1970, None before they are.

    `shape` decides how long an epoch takes; `job` is the process that the run was given to. Runs of
    one `unit` are trained together; empty for a run that is trained by itself.
    `epochs` of `total` are finished, as `history` has them.
    """

    shape: str
    is_running: bool
    is_waiting: bool
    total: int
    epochs: int
    history: Epochs
    job: str = ""
    started: float | None = None
    ended: float | None = None
    unit: str = ""

    @property
    def epoch_seconds(self) -> float | None:
        """The median time from one epoch to the next; None before the first."""
        own = self.history.median_seconds()
        if own is None:
            return None
        gaps = np.diff(self.history.array("time"))
        # An attempt that was interrupted has a gap that is no epoch's.
        return max(own, float(np.median(gaps))) if len(gaps) else own

    @property
    def overhead(self) -> float | None:
        """The time of a finished run that was none of its epochs'."""
        times = self.history.array("time")
        seconds = self.epoch_seconds
        if self.started is None or self.ended is None or seconds is None or self.job == "":
            return None
        in_attempt = int(np.count_nonzero(times >= self.started))
        return max(0.0, self.ended - self.started - in_attempt * seconds)


def progress_of(run: Run) -> RunProgress:
    """How far `run` is."""
    start, end = run.start or {}, run.end or {}
    state = run.state
    variant = run.spec.variant if run.spec is not None else None
    return RunProgress(
        shape=shape_of(variant) if variant is not None else "",
        is_running=state == "running",
        is_waiting=state in ("queued", "interrupted"),
        total=variant.epochs if variant is not None else 0,
        epochs=run.epoch,
        history=run.epochs,
        job=job_of(start),
        started=start.get("time"),
        ended=end.get("time") if state == "done" else None,
        unit=unit_of(run.spec) if run.spec is not None else "",
    )


def job_of(start: Event) -> str:
    """The process that an attempt's `start` event names; empty where it names none."""
    return f"{start.get('host')}:{start['pid']}" if start.get("pid") else ""


def progress_of_spec(spec: RunSpec) -> RunProgress:
    """A run that has not begun."""
    empty = Epochs(np.empty((0, 0)))
    return RunProgress(
        shape_of(spec.variant), False, True, spec.variant.epochs, 0, empty, unit=unit_of(spec)
    )


class Durations:
    """What epochs and runs took, from the progress of runs of one folder."""

    def __init__(self, runs: Iterable[RunProgress]) -> None:
        begun = [r for r in runs if r.started is not None and r.epochs]
        begun.sort(key=lambda r: r.started or 0.0, reverse=True)
        by_shape: dict[str, list[float]] = {}
        # A run's first epoch can hold its compilation: it counts only where there is no other.
        firsts: dict[str, list[float]] = {}
        overheads: list[float] = []
        cold = _first_of_jobs(begun)
        looked_at: dict[str, int] = {}
        for run in begun:
            looked_at[run.shape] = looked_at.get(run.shape, 0) + 1
            if looked_at[run.shape] > NEWEST:
                continue
            if (seconds := run.epoch_seconds) is not None:
                (by_shape if run.epochs > 1 else firsts).setdefault(run.shape, []).append(seconds)
            if id(run) not in cold and (overhead := run.overhead) is not None:
                overheads.append(overhead)
        timed = by_shape or firsts
        self._epoch = {shape: median(values) for shape, values in timed.items()}
        self._any_epoch = median(self._epoch.values()) if self._epoch else None
        gaps = _gaps(begun)
        self._overhead = median(overheads) if overheads else UNKNOWN_OVERHEAD
        self._overhead += median(gaps) if gaps else 0.0

    def epoch_seconds(self, run: RunProgress) -> float | None:
        """What an epoch of `run` takes: by its own, by its shape's, by all."""
        own = run.epoch_seconds if run.epochs > 1 else None
        return own or self._epoch.get(run.shape, self._any_epoch)

    def remaining(self, run: RunProgress, now: float) -> float | None:
        """Seconds of work until `run` is done; None where no epoch has been timed yet."""
        seconds = self.epoch_seconds(run)
        if seconds is None:
            return None
        work = max(0, run.total - run.epochs) * seconds
        if not run.is_running:
            return work + self._overhead
        newest = float(run.history.array("time")[-1]) if run.epochs else run.started
        under_way = max(0.0, now - newest) if newest is not None else 0.0
        if run.epochs:
            return max(0.0, work - min(under_way, seconds))
        return max(0.0, work + self._overhead - min(under_way, self._overhead + seconds))


def estimate(
    runs: Sequence[RunProgress], durations: Durations, jobs: int, now: float
) -> float | None:
    """Seconds until all of `runs` are done, `jobs` at a time; None where nothing is known.

    Those that run go first, then those that wait, in their order, each to the job that is free
    first.
    """
    free = [0.0] * max(1, jobs)
    units: set[str] = set()
    for run in sorted(runs, key=lambda r: not r.is_running):
        if not (run.is_running or run.is_waiting) or run.unit in units:
            continue
        if run.unit:
            units.add(run.unit)
        seconds = durations.remaining(run, now)
        if seconds is None:
            return None
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def estimate_new(specs: Iterable[RunSpec], runs: Iterable[Run], jobs: int) -> float | None:
    """How long new runs will take, `jobs` at a time, by past `runs`; None without any."""
    durations = Durations(progress_of(run) for run in runs)
    return estimate([progress_of_spec(spec) for spec in specs], durations, jobs, time.time())


def shape_of(variant: Variant) -> str:
    """What decides how long an epoch takes."""
    parts = (
        variant.model,
        variant.network,
        variant.side,
        variant.augment,
        variant.balance,
        variant.frozen_layers,
        variant.trainable_layers,
        variant.train_from,
        variant.fc1,
        variant.fc2,
        variant.batch_size,
        variant.share,
    )
    return "/".join(map(str, parts))


def _gaps(newest_first: Sequence[RunProgress]) -> list[float]:
    """Seconds between the end of a run and the start of its job's next one."""
    gaps: list[float] = []
    starts: dict[str, float] = {}
    for run in newest_first:
        following = starts.get(run.job)
        if following is not None and run.ended is not None:
            gap = following - run.ended
            if 0 <= gap < LONGEST_GAP:
                gaps.append(gap)
        starts[run.job] = run.started or 0.0
    return gaps[:NEWEST]


def _first_of_jobs(newest_first: Sequence[RunProgress]) -> set[int]:
    """The identities of the first run of each job."""
    first: dict[str, int] = {}
    for run in newest_first:
        first[run.job] = id(run)
    return set(first.values())
