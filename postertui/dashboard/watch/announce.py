"""What deserves a message by itself: a run that failed, a study that has ended.

The message is a toast; with `bell` the terminal rings, and `on_end` is run with the message as
its last argument (see `postertui.dashboard.memory`).
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from postertui.dashboard.live.view import RunView
from postertui.runs.lifecycle import CLOSED_STATES

OPEN = ("queued", "running", "interrupted")
#: So many failures at a time get a message each; more get one together.
MOST_FAILURES = 3


@dataclass(frozen=True)
class Happening:
    """`text` for people; `failed` where something went wrong."""

    text: str
    failed: bool


def happenings(
    before: Mapping[str, RunView], changed: Mapping[str, RunView], gone: Iterable[str] = ()
) -> list[Happening]:
    """What happened between `before` and the same with `changed` in it.

    Runs that were not there before say nothing: what ended before the dashboard started is no
    news.
    """
    failed = [
        run
        for name, run in changed.items()
        if run.state == "failed" and name in before and before[name].state in OPEN
    ]
    found = [Happening(describe_failure(run), failed=True) for run in failed]
    if len(failed) > MOST_FAILURES:
        found = [Happening(f"{len(failed)} runs failed", failed=True)]
    left = set(gone)
    after = {name: run for name, run in before.items() if name not in left} | dict(changed)
    touched = {run.study for name, run in changed.items() if name in before}
    for study in sorted(touched):
        was_open = any(r.study == study and r.state in OPEN for r in before.values())
        runs = [r for r in after.values() if r.study == study]
        # An interrupted run is not at work; neither has its study ended.
        if was_open and not any(r.state in OPEN for r in runs):
            found.append(describe_end(study, runs))
    return found


def describe_failure(run: RunView) -> str:
    """`Comedy · l2-1e-4 failed: killed by SIGKILL`."""
    reason = f": {run.reason}" if run.reason else ""
    return f"{run.genre} · {run.variant} failed{reason}"


def describe_end(study: str, runs: list[RunView]) -> Happening:
    """`demo has ended: 11 done, 1 failed`."""
    counts = Counter(run.state for run in runs)
    parts = [f"{counts[s]} {s}" for s in CLOSED_STATES if counts[s]]
    return Happening(f"{study} has ended: {', '.join(parts)}", failed=bool(counts["failed"]))


class Hook:
    """Runs the user's `command` with a message as its last argument, one at a time."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, message: str) -> str:
        """Start it; what is wrong where it cannot be started, or ``."""
        self._running = [p for p in self._running if p.poll() is None]
        try:
            words = shlex.split(self._command)
        except ValueError as error:
            return f"on_end: {error}"
        if not words:
            return ""
        try:
            self._running.append(
                subprocess.Popen(
                    [*words, message],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        except OSError as error:
            return f"on_end: {words[0]}: {error.strerror}"
        return ""

    def close(self) -> None:
        """Collect those that have ended; the others go on without us."""
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
