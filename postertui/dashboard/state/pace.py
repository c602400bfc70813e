"""How fast the runs go, and when they will be done."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence

from postertui.dashboard.state.run_view import RunView
from postertui.runs.lifecycle import OPEN_STATES
from postertui.supervisor.durations import Durations
from postertui.supervisor.remaining import estimate

#: Seconds over which the pace is measured.
WINDOW = 60.0
#: Seconds after which what epochs take is worked out again, if a run has changed; of many runs, so
#: seldom that it takes no more than this share of the time.
DURATIONS_AGE, DURATIONS_SHARE = 2.0, 0.02
#: Seconds for which an estimate of the same open runs is shown: it is asked for at each tick, and
#: looks at every epoch of every open run.
ESTIMATE_AGE = 1.5


class PaceMeter:
    """Counts finished epochs as they are read, and estimates what remains."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque(maxlen=64)
        self._durations = Durations(())
        self._is_outdated, self._due = True, -math.inf
        self._estimate: tuple[float, tuple[int, int, int], float | None] | None = None

    def record(self, epochs: int, now: float) -> None:
        """Note that runs changed and finished `epochs` more at `now` (monotonic seconds)."""
        self._is_outdated = True
        if epochs:
            self._readings.append((now, epochs))

    def rate(self, now: float) -> float | None:
        """Epochs a second at `now` (monotonic seconds); None where unknown."""
        return epochs_per_second(list(self._readings), now)

    def remaining(
        self, open_runs: Mapping[str, RunView], runs: Mapping[str, RunView], jobs: int
    ) -> float | None:
        """Seconds until the open ones of `runs` are done, `jobs` at a time; None where unknown."""
        if not open_runs:
            return None
        now, source = time.monotonic(), (jobs, len(open_runs), len(runs))
        before = self._estimate
        if before is not None and before[1] == source and now - before[0] < ESTIMATE_AGE:
            return before[2]
        stages = [run.stage for run in open_runs.values()]
        seconds = estimate(stages, self._current(runs), jobs, time.time())
        self._estimate = now, source, seconds
        return seconds

    def remaining_of(self, run: RunView, runs: Mapping[str, RunView]) -> float | None:
        """Seconds of work until `run` is done; None where it is not open or nothing is known."""
        if run.state not in OPEN_STATES:
            return None
        return self._current(runs).remaining(run.stage, time.time())

    def _current(self, runs: Mapping[str, RunView]) -> Durations:
        began = time.monotonic()
        if self._is_outdated and began > self._due:
            self._durations = Durations(r.stage for r in runs.values() if r.epoch)
            seconds = time.monotonic() - began
            self._due = began + max(DURATIONS_AGE, seconds / DURATIONS_SHARE)
            self._is_outdated = False
        return self._durations


def epochs_per_second(readings: Sequence[tuple[float, int]], now: float) -> float | None:
    """Epochs a second over the last minute, from (when, how many) at each reading."""
    recent = [(when, count) for when, count in readings if now - when <= WINDOW]
    if len(recent) < 2:
        return None
    # What came with the first reading happened before it.
    span = now - recent[0][0]
    total = sum(count for _, count in recent[1:])
    return total / span if span > 0 and total else None
