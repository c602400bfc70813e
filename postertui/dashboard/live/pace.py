"""How fast the runs go, and when they will be done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from postertui.dashboard.live.view import RunView

WINDOW = 60.0


def epochs_per_second(finished: Sequence[tuple[float, int]], now: float) -> float | None:
    """Epochs a second over the last minute, from (when, how many) at each reading."""
    recent = [(when, count) for when, count in finished if now - when <= WINDOW]
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
