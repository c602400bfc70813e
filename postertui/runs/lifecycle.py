"""The states of a run, and how its events and its lock decide which it is in."""

from __future__ import annotations

from typing import Literal

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

#: States in which nothing more happens to a run unless it is queued again.
CLOSED: tuple[State, ...] = ("done", "failed", "cancelled")


def derive_state(last_start_or_end: str | None, end_status: str | None, locked: bool) -> State:
    """A run's state from its newest `start`, `end` or `requeue` event and its lock."""
    if last_start_or_end in (None, "requeue"):
        return "queued"
    if last_start_or_end == "start":
        return "running" if locked else "interrupted"
    match end_status:
        case "done" | "failed" | "cancelled" | "interrupted":
            return end_status
        case _:
            return "failed"
