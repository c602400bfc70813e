"""Which runs of a folder are looked at in a refresh."""

from __future__ import annotations

import os

from postertui.runs import layout
from postertui.runs.store.runs_by_name import RunsByName

#: How many runs that do not change by themselves are checked in each refresh, in turn where there
#: are more. A program that changes such a run counts up the folder's change counter, and then all
#: are checked.
TURN = 500


class DueRuns:
    """The runs that may have changed: those that train, some others in turn, or all of them.

    Parameters
    ----------
    root
        The folder of `runs`.
    """

    def __init__(self, root: str, runs: RunsByName) -> None:
        self._change_counter = f"{root}/{layout.CHANGE_COUNTER}"
        self._change_count = -1
        self._runs = runs
        # Names of runs that are not closed; no job changes any other.
        self._open: dict[str, None] = {}
        self._remaining: list[str] = []

    def record(self, name: str) -> None:
        """Account for a run that was looked at."""
        run = self._runs[name]
        if run.is_started or not run.is_closed:
            self._open[name] = None
        else:
            self._open.pop(name, None)

    def remove(self, name: str) -> None:
        """Account for a run that is no longer in the folder."""
        self._open.pop(name, None)

    def note_changes(self) -> None:
        """Note how many changes were announced before runs are read for the first time."""
        if self._change_count < 0:
            self._changes_announced()

    def take(self) -> list[str]:
        """The runs to look at now."""
        runs = self._runs
        if self._changes_announced():
            return list(runs)
        live = [n for n in self._open if runs[n].locked or runs[n].is_started]
        if len(runs) - len(live) <= TURN:
            return list(runs)
        if not self._remaining:
            self._remaining = list(runs)
        now, self._remaining = self._remaining[:TURN], self._remaining[TURN:]
        return [*live, *(n for n in now if n in runs)]

    def count_waiting(self) -> int:
        """How many runs wait for a supervisor; from any thread."""
        open_runs = map(self._runs.get, tuple(self._open))
        return sum(run.is_waiting for run in open_runs if run is not None)

    def _changes_announced(self) -> bool:
        """Whether the folder's change counter is another than at the last call."""
        try:
            size = os.stat(self._change_counter).st_size  # noqa: PTH116
        except OSError:
            size = 0
        differs, self._change_count = size != self._change_count, size
        return differs
