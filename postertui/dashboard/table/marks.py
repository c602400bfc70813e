"""Single characters for states and for where a score stands."""

from __future__ import annotations

STATE_MARKS = {
    "running": "▸",
    "queued": "·",
    "done": "✓",
    "failed": "✗",
    "cancelled": "–",
    "interrupted": "!",
}
#: A test F above always-yes, above the base rate, below it, or without a baseline.
BASELINE_MARKS = {"above": "▲", "between": "△", "below": "▽", "": " "}
