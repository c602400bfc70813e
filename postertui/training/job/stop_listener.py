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
from typing import NamedTuple

from postertui.runs import layout

#: Seconds between two checks for a request to cancel or to pause.
INTERVAL = 0.2

#: Seconds that an epoch may still take once its run is cancelled.
CANCEL_TIMEOUT = 5.0

#: Seconds to wait for an epoch that is being written before the process exits all the same.
WRITE_TIMEOUT = 6.0


#: Why a run is interrupted whose folder is no longer at its path.
MOVED = "the run's folder was moved or removed"


class _Attempt(NamedTuple):
    """What is listened for, between `begin` and `end`."""

    folders: tuple[Path, ...]
    write_end: Callable[[str, str], None]
    is_displaced: Callable[[], bool]


class _Stop(NamedTuple):
    """Why the process has to end at once."""

    status: str
    reason: str
    exit_code: int


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
        self._attempt: _Attempt | None = None
        # Held while the folders are looked at: `end` waits for it, so that no lock is released,
        # and no next attempt begun, between what was seen and what follows from it.
        self._looking = threading.Lock()
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
        self._attempt = _Attempt(tuple(folders), write_end, is_displaced)

    def end(self) -> None:
        """The runs have their ends; nothing more is written for them."""
        with self._looking:
            self._attempt = None

    def _listen(self) -> None:
        while True:
            readable, _, _ = select.select([self._signals], [], [], INTERVAL)
            if readable:
                number = self._signals.recv(1)[0]
                if number in (signal.SIGTERM, signal.SIGINT):
                    self._exit("interrupted", f"stopped by {signal.Signals(number).name}", 143)
            with self._looking:
                attempt = self._attempt
                stop = None if attempt is None else self._look_at(attempt)
            if stop is not None:
                self._exit(*stop, only_in=attempt)

    def _look_at(self, attempt: _Attempt) -> _Stop | None:
        """Heed requests to pause and to cancel; why the process has to end, if it has to."""
        if attempt.is_displaced():
            return _Stop("interrupted", MOVED, 1)
        if any((folder / layout.PAUSED).exists() for folder in attempt.folders):
            self.paused.set()
        if any((folder / layout.CANCEL).exists() for folder in attempt.folders):
            self.cancelled.set()
            self._cancelled_at = self._cancelled_at or time.monotonic()
            if time.monotonic() - self._cancelled_at > CANCEL_TIMEOUT:
                return _Stop("cancelled", "cancelled", 0)
        return None

    def _exit(
        self, status: str, reason: str, code: int, *, only_in: _Attempt | None = None
    ) -> None:
        """Write the end of the runs and end the process; not where `only_in` is over by now."""
        if self.writing.acquire(timeout=WRITE_TIMEOUT):
            attempt = self._attempt
            if only_in is not None and attempt is not only_in:
                self.writing.release()
                return
            if attempt is not None:
                # On a full disk, the supervisor writes the end later.
                with contextlib.suppress(OSError):
                    attempt.write_end(status, reason)
        os._exit(code)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Without a handler of Python's, the signal would end the process at once."""
