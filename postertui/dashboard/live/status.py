"""The words of the top line."""

from __future__ import annotations

from collections.abc import Mapping

from postertui.dashboard.numbers import duration, throughput

Text = tuple[str, str]

_ORDER = ("running", "queued", "done", "failed", "interrupted", "cancelled")


def standing(where: str, counts: Mapping[str, int], *, loaded: bool) -> tuple[Text, ...]:
    """Which folder, and how many runs are in which state."""
    parts: list[Text] = [(" postertui ", "brand"), (f" {where} ", "dim")]
    if not loaded:
        return (*parts, (" reading runs …", "dim"))
    for state in _ORDER:
        if counts.get(state):
            style = state if state in ("running", "failed", "interrupted") else "text"
            parts.append((f" {counts[state]}", style))
            parts.append((f" {state} ", "dim"))
    if not any(counts.values()):
        parts.append((" no runs yet", "dim"))
    return tuple(parts)


def outlook(
    remaining: float | None,
    epochs_per_second: float | None,
    *,
    paused: bool = False,
    idle: bool = False,
) -> tuple[Text, ...]:
    """How long the queue will take, how fast it goes, and why it does not."""
    parts: list[Text] = []
    if epochs_per_second:
        parts.append((f" {throughput(epochs_per_second)} ", "dim"))
    if remaining is not None:
        parts.append((f" {duration(remaining)} left ", "text"))
    if paused:
        parts.append((" paused ", "interrupted"))
    elif idle:
        parts.append((" nobody at work: r starts ", "interrupted"))
    return tuple(parts)
