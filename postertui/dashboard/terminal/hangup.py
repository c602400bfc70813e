"""The end of the terminal is the end of the dashboard; runs go on without either."""

from __future__ import annotations

import os
import select
import signal
import threading


def leave_with_terminal(fd: int) -> None:
    """Once the terminal at `fd` is gone, end this process as a hang-up signal would.

    The kernel signals the leader of the session alone. Where that is `make` or another program that
    only waits, this process would stay, and textual's reader would read the end of its input for
    ever.
    """
    threading.Thread(target=_wait_and_leave, args=(fd,), name="hangup", daemon=True).start()


def _wait_and_leave(fd: int) -> None:
    terminal = select.poll()
    terminal.register(fd, 0)  # POLLHUP is always reported.
    terminal.poll()
    os.kill(os.getpid(), signal.SIGHUP)
    # Under nohup that was ignored.
    os._exit(128 + signal.SIGHUP)
