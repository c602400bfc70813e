"""What a node sends of a run that is trained there: events, log, results and checkpoints."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from postertui.runs import layout
from postertui.supervisor.backends.ray.event_lines import parse_lines
from postertui.supervisor.backends.ray.link import Link
from postertui.supervisor.backends.ray.node_folder import FileTail
from postertui.supervisor.backends.ray.run_messages import (
    CheckpointData,
    EventLines,
    LogText,
    ResultFile,
)

#: Larger checkpoints and results than this, in bytes, are not sent.
MAX_FILE = 1 << 27

#: The most of a log that is sent at a time, in bytes.
LOG_PIECE = 1 << 16


class RunUpload:
    """A run that is trained, and what of it was sent.

    Parameters
    ----------
    link
        The connection to the driver.
    folder
        The run's folder on this node.
    offset
        How many bytes of its events the driver has.
    checkpoint_interval
        Seconds of training after which a checkpoint is sent, and between two of them.
    """

    def __init__(self, link: Link, folder: Path, offset: int, checkpoint_interval: float) -> None:
        self.run = folder.name
        self.folder = folder
        self._link = link
        self._events = FileTail(folder / layout.EVENTS, offset)
        log = folder / layout.LOG
        self._log = FileTail(log, log.stat().st_size if log.exists() else 0)
        self._checkpoint_interval = checkpoint_interval
        self._checkpoint_due = time.monotonic() + checkpoint_interval
        self._checkpoint_epoch = 0
        self._sent_epoch = 0

    def send_progress(self) -> None:
        """Send what is new, and from time to time, or where the run stops, a checkpoint."""
        if printed := self._log.read(most=LOG_PIECE):
            self._link.send(LogText(self.run), printed)
        if new_events := self._events.read(whole_lines=True):
            headers = [line.header for line in parse_lines(new_events)]
            if any(header.is_end for header in headers):
                send_results(self._link, self.run, self.folder)
            self._link.send(EventLines(self.run), new_events)
            epochs = [header.epoch or 0 for header in headers if header.checkpoint]
            self._checkpoint_epoch = epochs[-1] if epochs else self._checkpoint_epoch
            if any(header.event == "end" and not header.is_end for header in headers):
                self._send_checkpoint()
        if time.monotonic() >= self._checkpoint_due:
            self._send_checkpoint()

    def _send_checkpoint(self) -> None:
        """Send the newest checkpoint unless it was sent: any node may continue from it."""
        if self._checkpoint_epoch <= self._sent_epoch:
            return
        for path in (
            self.folder / layout.checkpoint_draft(self._checkpoint_epoch),
            self.folder / layout.CHECKPOINT,
        ):
            with contextlib.suppress(OSError):
                if path.stat().st_size <= MAX_FILE:
                    message = CheckpointData(self.run, self._checkpoint_epoch)
                    self._link.send(message, path.read_bytes())
                self._checkpoint_due = time.monotonic() + self._checkpoint_interval
                self._sent_epoch = self._checkpoint_epoch
                return


def send_results(link: Link, run: str, folder: Path) -> None:
    """Send what the run has left beside its events; to be called before the lines that end it."""
    for name in layout.RESULTS:
        with contextlib.suppress(OSError):
            if (folder / name).stat().st_size <= MAX_FILE:
                link.send(ResultFile(run, name), (folder / name).read_bytes())
