"""What the top line and the device panel say about the runs and the queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from postertui.dashboard.number_format import duration, throughput
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.text_width import StyledText
from postertui.runs.state_words import QUEUE_PAUSED
from postertui.system.text import to_single_line

if TYPE_CHECKING:
    from postertui.supervisor.folder import Status


#: Words for runs that the first line counts where there are some, in this order.
_ORDER = ("running", "cancelling", "queued", "held", "done", "failed", "damaged", "unreadable",
          "newer", "interrupted", "cancelled")  # fmt: skip
_COLOURED = ("running", "held", "failed", "damaged", "interrupted")


def state_text(
    folder: str, counts: Mapping[str, int], *, loaded: bool, marked: int = 0, hidden: int = 0
) -> tuple[StyledText, ...]:
    """Which folder, how many runs are in which state, and how many are marked."""
    parts: list[StyledText] = [(" postertui ", "brand"), (f" {folder} ", "dim")]
    if not loaded:
        return (*parts, (" reading runs …", "dim"))
    for state in _ORDER:
        if counts.get(state):
            style = state if state in _COLOURED else "text"
            parts.append((f" {counts[state]}", style))
            parts.append((f" {state} ", "dim"))
    if not any(counts.values()):
        parts.append((" no runs yet", "dim"))
    if marked:
        parts.append((f" {marked}", "accent"))
        parts.append((" marked " + (f"({hidden} hidden) " if hidden else ""), "dim"))
    return tuple(parts)


def outlook_text(
    remaining: float | None,
    epochs_per_second: float | None,
    *,
    paused: bool = False,
    idle: str = "",
) -> tuple[StyledText, ...]:
    """How long the queue will take, how fast it goes, and why it does not.

    Parameters
    ----------
    remaining
        Seconds; None where they cannot be estimated.
    epochs_per_second
        None where nothing trains.
    idle
        Why nothing is trained, where no supervisor is at work.
    """
    parts: list[StyledText] = []
    if epochs_per_second:
        parts.append((f" {throughput(epochs_per_second)} ", "dim"))
    if remaining is not None:
        parts.append((f" {duration(remaining)} left ", "text"))
    if paused:
        parts.append((f" {QUEUE_PAUSED} ", "held"))
    elif idle:
        parts.append((f" {to_single_line(idle, 200)} ", "interrupted"))
    return tuple(parts)


def strip_text(
    status: Status, counts: Mapping[str, int], remaining: float | None, *, paused: bool
) -> tuple[StyledText, ...]:
    """The queue in few words: what runs and waits, for how long, and what is in the way.

    Parameters
    ----------
    counts
        How many runs there are, by state.
    remaining
        Seconds until all are trained; None where they cannot be estimated.
    """
    parts: list[StyledText] = [(" queue ", "bold")]
    running, queued = counts.get("running", 0), counts.get("queued", 0)
    if not (running or queued or paused):
        return (*parts, ("empty", "dim"))
    parts.append((f"{running} running", "running" if running else "dim"))
    parts.append((f", {queued} queued", "text"))
    if held := counts.get("held", 0):
        parts.append((f", {held} held", "held"))
    if remaining is not None:
        parts.append((f", {duration(remaining)} left", "text"))
    if paused:
        parts.append((f", {QUEUE_PAUSED}", "held"))
    elif not status.running and queued:
        parts.append((", no supervisor", "held"))
    return tuple(parts)


def failure_text(failed: Sequence[RunView]) -> str:
    """`2 failed, last Horror · no-reg: killed by SIGKILL`; `failed` has the newest one last."""
    if not failed:
        return ""
    last = failed[-1]
    count = f"{len(failed)} failed, last " if len(failed) > 1 else "failed: "
    reason = f": {last.reason}" if last.reason else ""
    return f"{count}{last.genre} · {last.variant}{reason}"


def queue_text(
    status: Status,
    counts: dict[str, int],
    remaining: float | None,
    rate: float | None,
    *,
    paused: bool,
) -> tuple[StyledText, ...]:
    """The queue in a line: at work, waiting, how fast, how long, and what is in the way.

    Parameters
    ----------
    counts
        How many runs there are, by state.
    remaining
        Seconds until all are trained; None where they cannot be estimated.
    rate
        Epochs a second; None where nothing trains.
    """
    at_work = sum(job.run is not None for job in status.jobs) if status.running else 0
    parts: list[StyledText] = [(" queue ", "bold")]
    if status.running:
        of_all = f" of {status.slots}" if status.slots else ""
        parts.append((f"{at_work}{of_all} at work", "running"))
    else:
        parts.append(("no supervisor", "dim"))
    parts.append((f"  {counts.get('queued', 0)} waiting", "text"))
    if rate:
        parts.append((f"  {throughput(rate)}", "text"))
    if remaining is not None:
        parts.append((f"  {duration(remaining)} left", "text"))
    if paused:
        parts.append((f"  {QUEUE_PAUSED}", "held"))
    elif status.waiting:
        parts.append((f"  {to_single_line(status.waiting, 120)}", "interrupted"))
    if status.warning:
        parts.append((f"  {to_single_line(status.warning, 200)}", "interrupted"))
    return tuple(parts)
