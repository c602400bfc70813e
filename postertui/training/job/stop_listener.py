"""Signals and requests to stop, which the training main thread may see too late."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from postertui.runs import layout

#: Seconds between two checks for a request to cancel or to pause.
INTERVAL = 0.2

#: Seconds that an epoch may still take once its run is cancelled.
CANCEL_TIMEOUT = 5.0

#: Seconds to wait for an epoch that is being written before the process exits all the same.
WRITE_TIMEOUT = 6.0


#: Why a run is interrupted whose folder is no longer at its path.
MOVED = "the run's folder was moved or removed"


class StopListener:
    """A thread that ends the process when that cannot wait for the epoch's end.

    `writing` is held while an epoch is recorded, so that the process never exits in the middle of
    it. Between `begin` and `end`, three things write the run's end and end the process: a SIGTERM
    or SIGINT, a folder that was moved, and a request to cancel after `CANCEL_TIMEOUT`. Without a
    run, a signal just ends it.
    """

    def __init__(self) -> None:
        self.writing = threading.Lock()
        self.cancelled = threading.Event()
        self.paused = threading.Event()
        self._folders: tuple[Path, ...] = ()
        self._write_end: Callable[[str, str], None] | None = None
        self._cancelled_at: float | None = None
        self._signals, wake = socket.socketpair()
        wake.setblocking(False)
        self._wake = wake
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ignore)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # The handler itself may have to wait for minutes of compiled code; this byte does not.
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, name="stop listener", daemon=True).start()

    def begin(
        self,
        folders: Sequence[Path],
        write_end: Callable[[str, str], None],
        is_displaced: Callable[[], bool],
    ) -> None:
        """Listen for the runs in `folders` from now on, which are stopped together.

        `is_displaced` says that one of the folders is no longer there.
        """
        self.cancelled.clear()
        self.paused.clear()
        self._cancelled_at = None
        self._is_displaced = is_displaced
        self._folders, self._write_end = tuple(folders), write_end

    def end(self) -> None:
        """The runs have their ends; nothing more is written for them."""
        self._folders, self._write_end = (), None

    def _listen(self) -> None:
        while True:
            readable, _, _ = select.select([self._signals], [], [], INTERVAL)
            if readable:
                number = self._signals.recv(1)[0]
                if number in (signal.SIGTERM, signal.SIGINT):
                    self._exit("interrupted", f"stopped by {signal.Signals(number).name}", 143)
            folders = self._folders
            if folders and self._is_displaced():
                self._exit("interrupted", MOVED, 1)
            if any((folder / layout.PAUSED).exists() for folder in folders):
                self.paused.set()
            if any((folder / layout.CANCEL).exists() for folder in folders):
                self.cancelled.set()
                self._cancelled_at = self._cancelled_at or time.monotonic()
                if time.monotonic() - self._cancelled_at > CANCEL_TIMEOUT:
                    self._exit("cancelled", "cancelled", 0)

    def _exit(self, status: str, reason: str, code: int) -> None:
        if self.writing.acquire(timeout=WRITE_TIMEOUT):
            write_end = self._write_end
            if write_end is not None:
                # On a full disk, the supervisor writes the end later.
                with contextlib.suppress(OSError):
                    write_end(status, reason)
        os._exit(code)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Without a handler of Python's, the signal would end the process at once."""
