"""Single characters for states, and for verdicts against a baseline or the reference."""

from __future__ import annotations

STATE_MARKS = {
    "running": "▸",
    "queued": "·",
    "held": "=",
    "done": "✓",
    "failed": "✗",
    "cancelled": "–",
    "interrupted": "!",
    "cancelling": "×",
}
#: F against its baseline: beyond noise above or below it, within noise, or without a baseline.
BASELINE_MARKS = {"above": "▲", "unclear": "?", "below": "▼", "": " "}
#: A difference to the reference: beyond noise (corrected), within it, or without known noise.
DIFFERENCE_MARKS = {"better": "▲", "worse": "▼", "undecided": "·", "too little data": " "}
DIFFERENCE_STYLES = {"better": "above", "worse": "below", "undecided": "text"}
