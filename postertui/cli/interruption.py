"""Commands that leave nothing half done where they are ended from outside."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: Ctrl-C, `kill` or a batch system, a terminal that is gone.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def cleaned_up_when_ended() -> Iterator[None]:
    """Have signals that end the program leave the block by an exception, as Ctrl-C does.

    So what the block has begun is removed on the way out. A signal that is ignored stays so, as
    SIGHUP below `nohup`.

    Raises
    ------
    KeyboardInterrupt
        On SIGINT.
    SystemExit
        On SIGTERM and SIGHUP, with the exit code that shells give them.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in handlers:
            # A second one must not cut the removal short.
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    handlers = {
        number: handler
        for number in _ENDING
        if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }
    for number in handlers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
