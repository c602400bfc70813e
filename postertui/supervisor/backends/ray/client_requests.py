"""What users request of submitted runs, by files in the runs folder, as messages for the driver."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from postertui.runs import layout
from postertui.supervisor import folder as files
from postertui.supervisor.backends.ray.client_messages import PauseQueue, SetPriority
from postertui.supervisor.backends.ray.run_messages import CancelRun, PauseRun
from postertui.supervisor.probe import read_priority

#: Seconds after which the folders are read although no request was announced.
RESCAN_INTERVAL = 5.0

RunRequest = CancelRun | PauseRun | SetPriority


class RunRequests:
    """Reads the request files of runs and remembers what was already passed on."""

    def __init__(self, folder: Path) -> None:
        self.cancelled: dict[str, float] = {}
        self.queue_paused = False
        self._folder = folder
        self._paused: set[str] = set()
        self._priority: dict[str, int] = {}
        self._change_count = -1
        self._scanned = 0.0

    def queue_change(self) -> PauseQueue | None:
        """A message where the queue was paused or resumed since the last call."""
        paused = files.is_queue_paused(self._folder)
        if paused == self.queue_paused:
            return None
        self.queue_paused = paused
        return PauseQueue(paused)

    def run_changes(self, runs: Iterable[str], in_training: set[str]) -> Iterator[RunRequest]:
        """New requests for `runs`. The priority of those `in_training` no longer matters."""
        now, changes = time.monotonic(), files.change_count(self._folder)
        if changes == self._change_count and now - self._scanned < RESCAN_INTERVAL:
            return
        self._change_count, self._scanned = changes, now
        for run in runs:
            folder = self._folder / run
            if (folder / layout.CANCEL).exists():
                if run not in self.cancelled:
                    self.cancelled[run] = now
                    yield CancelRun(run)
            elif (folder / layout.PAUSED).exists():
                if run not in self._paused:
                    self._paused.add(run)
                    yield PauseRun(run)
            elif run not in in_training:
                priority = read_priority(folder)
                if priority != self._priority.get(run):
                    self._priority[run] = priority
                    yield SetPriority(run, priority)

    def submitted_priority(self, run: str) -> int:
        """The run's priority, which is about to be sent with its submission."""
        priority = self._priority[run] = read_priority(self._folder / run)
        return priority

    def forget(self, run: str) -> None:
        self.cancelled.pop(run, None)
        self._priority.pop(run, None)
        self._paused.discard(run)
