"""The analysis of the whole study, computed anew in a thread as epochs end."""

from __future__ import annotations

import time
from collections.abc import Set as AbstractSet

from postertui.dashboard.context import Context
from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.summary import StudySummary, summarize
from postertui.system.crash_log import log_traceback

#: An analysis starts so long after a change, and takes at most this share of the time.
DELAY, SHARE = 0.1, 0.2


class SummaryController:
    """One analysis at a time; what changes meanwhile is in the next one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shell = context.shell
        self._model = context.model
        self._is_stale = False
        self._is_busy = False
        self._pause = DELAY
        self._is_first = True

    def runs_updated(self, updates: RunUpdates, *, structural: bool) -> None:
        """Analyse the table again: runs came, went or trained on."""
        if structural or updates.changed:
            self._request()

    def options_changed(self, options: AbstractSet[str]) -> None:
        """Analyse another metric where the view has one."""
        if "metric" in options:
            self._request()

    def _request(self) -> None:
        self._is_stale = True
        if not self._is_busy:
            self._is_busy = True
            self._shell.later(self._pause, self._start)

    def _start(self) -> None:
        self._is_stale = False
        metric = self._model.options.metric
        self._shell.in_thread(lambda: self._analyse(metric), "summary")

    def _analyse(self, metric: str) -> None:
        begun = time.monotonic()
        try:
            summary = summarize(self._context.feed.table(), metric)
        except Exception as error:
            # Without an analysis the rest of the dashboard goes on; the log has the traceback.
            summary = StudySummary(problem=f"no analysis: {log_traceback(error)}")
        self._pause = max(DELAY, (time.monotonic() - begun) * (1 / SHARE - 1))
        self._shell.from_thread(self._ready, summary)

    def _ready(self, summary: StudySummary) -> None:
        self._is_busy = False
        self._model.summary = summary
        if self._is_first:
            self._is_first = False
            self._shell.settle_memory()
        self._shell.summary_ready()
        if self._is_stale:
            self._request()
