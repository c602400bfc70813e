"""The analysis of the whole study, computed anew in a thread as epochs end."""

from __future__ import annotations

import time
from collections.abc import Set as AbstractSet

from textual.timer import Timer

from postertui.dashboard.context import Context
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.summary import StudySummary, summarize
from postertui.system.crash_log import log_traceback

#: Seconds from a change that can alter a verdict to the analysis, and the most of the time that
#: analyses take.
DELAY, SHARE = 0.1, 0.2
#: The same where runs are only on their way to the common epoch: the matrix shows their epochs
#: without it.
ROUTINE_DELAY, ROUTINE_SHARE = 15.0, 0.01


class SummaryController:
    """One analysis at a time; what changes meanwhile is in the next one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shell = context.shell
        self._model = context.model
        self._is_stale = False
        self._is_urgent = False
        self._is_busy = False
        self._seconds = 0.0
        self._timer: Timer | None = None
        self._is_first = True

    def runs_updated(self, updates: RunUpdates, *, structural: bool) -> None:
        """Analyse the table again: runs came, went or trained on."""
        # While all of them train, the common epoch moves with every tick: that waits.
        is_urgent = structural or any(
            run.state not in ("running", "queued") for run in updates.changed.values()
        )
        if is_urgent or updates.changed:
            self._request(is_urgent=is_urgent)

    def options_changed(self, options: AbstractSet[str]) -> None:
        """Analyse another metric where the view has one."""
        if "metric" in options:
            self._request(is_urgent=True)

    def _request(self, *, is_urgent: bool) -> None:
        self._is_stale = True
        was_urgent, self._is_urgent = self._is_urgent, self._is_urgent or is_urgent
        is_waiting = self._timer is not None and (was_urgent or not is_urgent)
        if self._is_busy or is_waiting:
            return
        if self._timer is not None:
            self._timer.stop()
        delay, share = (DELAY, SHARE) if self._is_urgent else (ROUTINE_DELAY, ROUTINE_SHARE)
        pause = max(delay, self._seconds * (1 / share - 1))
        self._timer = self._shell.later(pause, self._start)

    def _start(self) -> None:
        self._timer = None
        self._is_busy = True
        self._is_stale = self._is_urgent = False
        metric = self._model.options.metric
        self._shell.in_thread(lambda: self._analyse(metric), "summary")

    def _analyse(self, metric: str) -> None:
        begun = time.monotonic()
        try:
            summary = summarize(self._context.feed.table(), metric)
            self._context.feed.release_memory()
        except Exception as error:
            # Without an analysis the rest of the dashboard goes on; the log has the traceback.
            summary = StudySummary(problem=f"no analysis: {log_traceback(error)}")
        self._seconds = time.monotonic() - begun
        self._shell.from_thread(self._ready, summary)

    def _ready(self, summary: StudySummary) -> None:
        self._is_busy = False
        self._model.summary = summary
        if self._is_first:
            self._is_first = False
            self._shell.settle_memory()
        self._shell.summary_ready()
        if self._is_stale:
            self._request(is_urgent=self._is_urgent)
