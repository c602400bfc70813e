"""What epochs and runs took, measured from the times in the events of past runs.

- Epochs, by the median time from one to the next: of the run itself, of finished and running runs
  of its shape, or of the nearest shape of its kind. The first epoch of a run is not among them,
  because it may hold the compilation.
- An overhead for each run, for all that is neither its epochs nor features. It is measured apart
  for the first run of a job, which pays for the start of the process; for the first of a shape in
  a job, which compiles; and for all others, which are nearly all.
- Features, once for each cohort that no run has used yet.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from statistics import median
from typing import Literal

from postertui.supervisor.run_progress import OWN_PACE_FROM, RunProgress

#: What a run pays for before its first epoch, as the first of its job, as the first of its shape
#: in a job, or as another.
Readiness = Literal["cold", "new shape", "warm"]

#: How many of the newest runs of each shape count: few, since how busy a machine is changes.
NEWEST = 8

#: Seconds that a run in a warm job takes besides its epochs, until that has been measured: what it
#: was for small networks on two cores.
UNKNOWN_OVERHEAD = 0.2

#: A longer pause between two runs of a job is none of handing over.
LONGEST_GAP = 60.0

#: Runs that began more than this many seconds after they were asked for had waited for others.
LONGEST_START = 120.0

#: A shape is estimated by another of its kind while weights and batch size differ by no more
#: powers of two than this.
NEAREST = 2.0


class Durations:
    """What epochs and runs took, from the progress of runs of one folder."""

    def __init__(self, runs: Iterable[RunProgress]) -> None:
        begun = [r for r in runs if r.started is not None and r.epochs]
        begun.sort(key=lambda r: r.started or 0.0)
        self.job_shapes: dict[str, set[str]] = {}
        self.job_ends: dict[str, float] = {}
        self.cohorts: dict[str, set[int]] = {}
        self._shapes: dict[str, RunProgress] = {}
        self._lengths: dict[tuple[str, int], list[int]] = {}
        self._cohort_seconds: list[float] = []
        self._nearest: dict[str, float | None] = {}
        #: Seconds from asking for runs to the start of a job, at its quickest.
        self._start_up = LONGEST_START
        gaps: list[float] = []
        readiness: list[Readiness] = []
        for run in begun:
            readiness.append(self._record(run, gaps))
        overheads: dict[Readiness, list[float]] = {"cold": [], "new shape": [], "warm": []}
        paces: dict[str, list[float]] = {}
        single: dict[str, list[float]] = {}
        looked_at: dict[str, int] = {}
        for run, ready in zip(reversed(begun), reversed(readiness), strict=True):
            looked_at[run.shape] = looked_at.get(run.shape, 0) + 1
            if looked_at[run.shape] > NEWEST:
                continue
            if run.pace is not None:
                paces.setdefault(run.shape, []).append(run.pace)
            elif run.epochs == 1 and (ready == "warm" or run.total == 1):
                seconds = run.history.median_seconds()
                if seconds is not None:
                    single.setdefault(run.shape, []).append(seconds)
            if run.overhead is not None and (run.ended is not None or ready != "warm"):
                overheads[ready].append(run.overhead)
        self._pace = {shape: median(values) for shape, values in (single | paces).items()}
        between = median(gaps[-NEWEST:]) if gaps else 0.0
        warm = median(overheads["warm"]) if overheads["warm"] else UNKNOWN_OVERHEAD
        cold = max(warm, median(overheads["cold"])) if overheads["cold"] else warm
        new = max(warm, median(overheads["new shape"])) if overheads["new shape"] else cold
        self._overhead: dict[Readiness, float] = {
            "cold": cold,
            "new shape": new + between,
            "warm": warm + between,
        }

    def _record(self, run: RunProgress, gaps: list[float]) -> Readiness:
        """Account for `run`; what it paid for in its job."""
        shapes = self.job_shapes.setdefault(run.job, set())
        ready = readiness_in(run.shape, shapes)
        assert run.started is not None
        if ready == "cold" and run.created:
            self._start_up = min(self._start_up, max(0.0, run.started - run.created))
        shapes.add(run.shape)
        if (before := self.job_ends.get(run.job)) is not None:
            gap = run.started - before
            if 0 <= gap < LONGEST_GAP:
                gaps.append(gap)
        if run.ended is not None:
            self.job_ends[run.job] = run.ended
            if run.stops_early:
                self._lengths.setdefault((run.shape, run.total), []).append(run.epochs)
        cohorts = self.cohorts.setdefault(run.features, set())
        if (new := set(run.cohorts) - cohorts) and run.feature_seconds:
            self._cohort_seconds.append(run.feature_seconds / len(new))
        cohorts.update(run.cohorts)
        self._shapes[run.shape] = run
        return ready

    def epoch_seconds(self, run: RunProgress) -> float | None:
        """What an epoch of `run` takes: by its own, by its shape's, by the nearest of its kind."""
        if run.epochs >= OWN_PACE_FROM and run.pace is not None:
            return run.pace
        if run.shape not in self._nearest:
            self._nearest[run.shape] = self._pace.get(run.shape) or self._nearest_pace(run)
        return self._nearest[run.shape] or run.pace

    def _nearest_pace(self, run: RunProgress) -> float | None:
        def distance(other: RunProgress) -> float:
            weights = math.log2(run.head_weights / other.head_weights)
            return abs(weights) + abs(math.log2(run.batch_size / other.batch_size))

        same_kind = [s for s in self._pace if self._shapes[s].kind == run.kind]
        nearest = min(same_kind, key=lambda shape: distance(self._shapes[shape]), default=None)
        if nearest is None or distance(self._shapes[nearest]) > NEAREST:
            return None
        return self._pace[nearest]

    def readiness(self, run: RunProgress, job: str) -> Readiness:
        """What `run` pays for in `job`; empty for one that has to start."""
        return readiness_in(run.shape, self.job_shapes.get(job, ()))

    def remaining(
        self, run: RunProgress, now: float, readiness: Readiness | None = None
    ) -> float | None:
        """Seconds of work until `run` is done; None where no epoch like its has been timed yet.

        `readiness` is that of the job which the run is given to; that of its own, or warm for one
        without a job, if None.
        """
        seconds = self.epoch_seconds(run)
        if seconds is None:
            return None
        work = max(0, self._expected_epochs(run) - run.epochs) * seconds
        if run.is_running and run.epochs:
            newest = float(run.history.array("time")[-1])
            return max(0.0, work - min(max(0.0, now - newest), seconds))
        if readiness is None:
            is_given = run.is_running and run.job
            readiness = self.readiness(run, run.job) if is_given else "warm"
        before = self._overhead[readiness]
        if not run.is_running or run.started is None:
            starts = readiness == "cold" and self._start_up < LONGEST_START
            return work + before + (self._start_up if starts else 0.0)
        # Of the overhead and of the first epoch a part is over.
        under_way = max(0.0, now - run.started - run.feature_seconds)
        return work + before - min(under_way, before + seconds)

    def feature_seconds(self, run: RunProgress, available: dict[str, set[int]]) -> float:
        """What the features take that `run` needs and that are not `available`; 0 if unmeasured.

        They are `available` to later ones.
        """
        cohorts = available.setdefault(run.features, set())
        missing = set(run.cohorts) - cohorts
        cohorts.update(missing)
        if not missing or not self._cohort_seconds:
            return 0.0
        return len(missing) * median(self._cohort_seconds)

    def _expected_epochs(self, run: RunProgress) -> int:
        """`total`, or where runs stop early what those of the shape reached."""
        lengths = self._lengths.get((run.shape, run.total)) if run.stops_early else None
        if not lengths:
            return run.total
        return min(run.total, max(round(median(lengths[-NEWEST:])), run.epochs + 1))


def readiness_in(shape: str, compiled: Collection[str]) -> Readiness:
    """What a run of this shape pays for in a job that has `compiled` these; none for a new job."""
    if not compiled:
        return "cold"
    return "warm" if shape in compiled else "new shape"
