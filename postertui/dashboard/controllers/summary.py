"""The analysis of the whole study, computed again in a thread as epochs end."""

from __future__ import annotations

import time
from collections.abc import Set as AbstractSet

from textual.timer import Timer

from postertui.dashboard.context import Context
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.summary import StudySummary, summarize
from postertui.system.crash_log import log_traceback

#: How long the first analysis waits for the first picture, and looks whether all runs are read.
FIRST_DELAY = 0.5
#: Seconds from a change that can alter a verdict to the analysis, and the most of the time that
#: analyses take.
DELAY, SHARE = 0.1, 0.2
#: The same where no run has ended and where runs are only on their way to the common epoch: the
#: matrix shows their epochs without it.
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
        has_ended = any(not run.is_live for run in updates.changed.values())
        is_urgent = has_ended or (structural and self._has_ended_run)
        if is_urgent or structural or updates.changed:
            self._request(is_urgent=is_urgent or (structural and self._is_on_screen))

    @property
    def _has_ended_run(self) -> bool:
        return any(not run.is_live for run in self._model.runs.values())

    @property
    def _is_on_screen(self) -> bool:
        return self._model.options.layout == "summary"

    def options_changed(self, options: AbstractSet[str]) -> None:
        """Analyse at once for another metric, and when the summary is opened."""
        opened = "layout" in options and self._is_on_screen and (self._is_stale or self._is_first)
        if opened or "metric" in options:
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
        pause = max(FIRST_DELAY if self._is_first else 0.0, delay, self._seconds * (1 / share - 1))
        self._timer = self._shell.later(pause, self._start)

    def _start(self) -> None:
        self._timer = None
        if not self._context.feed.store.is_complete:
            # Reading comes first; an analysis of a part of the runs would hold it up.
            self._timer = self._shell.later(FIRST_DELAY, self._start)
            return
        self._is_busy = True
        self._is_stale = self._is_urgent = False
        metric = self._model.options.metric
        self._shell.in_thread(lambda: self._analyse(metric), "summary")

    def _analyse(self, metric: str) -> None:
        begun = time.monotonic()
        try:
            summary = summarize(self._context.feed.study_table(), metric)
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
