"""Hears what a training main thread cannot: signals and the wish to cancel."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from postertui.runs import layout

#: Seconds between two looks at what people wish for the run.
INTERVAL = 0.2

#: Seconds that an epoch may still take once its run is cancelled.
PATIENCE = 5.0

#: Seconds to wait for an epoch that is just being written before leaving all the same.
WRITING = 6.0


class Watch:
    """A thread that ends the process when that cannot wait for the epoch's end.

    `writing` is held while an epoch is made true, so that the process never leaves in the middle
    of it. During `over(run, leave)`, a cancelled run that has not ended after `PATIENCE`, or a
    SIGTERM or SIGINT, calls `leave(status, reason)` and ends the process; without a run, a signal
    just ends it.
    """

    def __init__(self) -> None:
        self.writing = threading.Lock()
        self.cancelled = threading.Event()
        self.paused = threading.Event()
        self._run: Path | None = None
        self._leave: Callable[[str, str], None] | None = None
        self._since: float | None = None
        self._awake, wake = socket.socketpair()
        wake.setblocking(False)
        self._wake = wake
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _noted)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # The handler itself may have to wait for minutes of compiled code; this byte does not.
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, name="watch", daemon=True).start()

    def begin(self, run: Path, leave: Callable[[str, str], None]) -> None:
        """Watch over `run` from now on."""
        self.cancelled.clear()
        self.paused.clear()
        self._since = None
        self._run, self._leave = run, leave

    def end(self) -> None:
        """The run has its end; nothing more is written for it."""
        self._run = self._leave = None

    def _listen(self) -> None:
        while True:
            readable, _, _ = select.select([self._awake], [], [], INTERVAL)
            if readable:
                number = self._awake.recv(1)[0]
                if number in (signal.SIGTERM, signal.SIGINT):
                    self._go("interrupted", f"stopped by {signal.Signals(number).name}", 143)
            run = self._run
            if run is not None and (run / layout.PAUSED).exists():
                self.paused.set()
            if run is not None and (run / layout.CANCEL).exists():
                self.cancelled.set()
                self._since = self._since or time.monotonic()
                if time.monotonic() - self._since > PATIENCE:
                    self._go("cancelled", "cancelled", 0)

    def _go(self, status: str, reason: str, code: int) -> None:
        if self.writing.acquire(timeout=WRITING):
            leave = self._leave
            if leave is not None:
                # On a full disk, whoever settles the run writes its end.
                with contextlib.suppress(OSError):
                    leave(status, reason)
        os._exit(code)


def _noted(number: int, frame: FrameType | None) -> None:
    """Python has to have a handler, or the signal would end the process before anyone looks."""
