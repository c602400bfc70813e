"""Announcements: a run has failed, a study has ended.

The message is a toast; with `bell` the terminal rings, and `on_end` is run with the message as
its last argument (see `postertui.dashboard.state.persistence`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass

from postertui.dashboard.state.run_view import RunView
from postertui.runs.lifecycle import CLOSED_STATES, OPEN_STATES

#: Up to this many failures at a time get a message each; more get one together.
MOST_FAILURES = 3


@dataclass(frozen=True)
class Announcement:
    """A message to show; `failed` where something went wrong."""

    text: str
    failed: bool


def find_announcements(
    before: Mapping[str, RunView],
    open_before: Mapping[str, RunView],
    changed: Mapping[str, RunView],
    removed: Container[str] = (),
) -> list[Announcement]:
    """What happened between `before` and the same with `changed` in it and without `removed`.

    New runs are not announced: what ended before the dashboard started is not new.

    Parameters
    ----------
    open_before
        Those of `before` that were yet to be finished. All of `before` are only gone through where
        a study has ended.
    """
    failed = [run for name, run in changed.items() if run.state == "failed" and name in open_before]
    announcements = [Announcement(describe_failure(run), failed=True) for run in failed]
    if len(failed) > MOST_FAILURES:
        announcements = [Announcement(f"{len(failed)} runs failed", failed=True)]
    # An interrupted run is not at work; neither has its study ended.
    open_after = [r for n, r in open_before.items() if n not in changed and n not in removed]
    open_after += [run for run in changed.values() if run.state in OPEN_STATES]
    touched = {run.study for name, run in changed.items() if name in before}
    ended = touched & {r.study for r in open_before.values()} - {r.study for r in open_after}
    for study in sorted(ended):
        unchanged = (r for n, r in before.items() if n not in changed and n not in removed)
        runs = [run for run in (*unchanged, *changed.values()) if run.study == study]
        announcements.append(describe_end(study, runs))
    return announcements


def describe_failure(run: RunView) -> str:
    """`Comedy · l2-1e-4 failed: killed by SIGKILL`."""
    reason = f": {run.reason}" if run.reason else ""
    return f"{run.genre} · {run.variant} failed{reason}"


def describe_end(study: str, runs: list[RunView]) -> Announcement:
    """`demo has ended: 11 done, 1 failed`."""
    counts = Counter(run.state for run in runs)
    parts = [f"{counts[s]} {s}" for s in CLOSED_STATES if counts[s]]
    return Announcement(f"{study} has ended: {', '.join(parts)}", failed=bool(counts["failed"]))
