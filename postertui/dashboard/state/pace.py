"""How fast the runs go, and when they will be done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from postertui.dashboard.state.run_view import RunView

#: Seconds over which the pace is measured.
WINDOW = 60.0


class PaceMeter:
    """Counts finished epochs as they are read."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque(maxlen=64)

    def record(self, epochs: int, now: float) -> None:
        """So many further epochs were found finished at `now` (monotonic seconds)."""
        if epochs:
            self._readings.append((now, epochs))

    def estimate(self, runs: Iterable[RunView], now: float) -> tuple[float | None, float | None]:
        """Seconds until the `runs` are done, and epochs a second; None where unknown."""
        rate = epochs_per_second(list(self._readings), now)
        return remaining(runs, rate), rate


def epochs_per_second(readings: Sequence[tuple[float, int]], now: float) -> float | None:
    """Epochs a second over the last minute, from (when, how many) at each reading."""
    recent = [(when, count) for when, count in readings if now - when <= WINDOW]
    if len(recent) < 2:
        return None
    # What came with the first reading happened before it.
    span = now - recent[0][0]
    total = sum(count for _, count in recent[1:])
    return total / span if span > 0 and total else None


def remaining(runs: Iterable[RunView], rate: float | None) -> float | None:
    """Seconds until everything running and queued is done, at `rate` or by the runs' own pace."""
    open_runs = [r for r in runs if r.state in ("running", "queued")]
    epochs = sum(max(0, r.epochs - r.epoch) for r in open_runs)
    if not open_runs or not epochs:
        return None
    if rate:
        return epochs / rate
    running = [r for r in open_runs if r.state == "running" and r.seconds]
    if not running:
        return None
    pace = sum(r.seconds or 0.0 for r in running) / len(running)
    return epochs * pace / len(running)
