"""What keeps the queue from starting runs for a while: a full disk, or no job can be started."""

from __future__ import annotations

import time

#: Seconds until it is tried again; twice as long each time that nothing has changed, up to the
#: longest.
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0


class Hindrance:
    """Something that may pass by itself, so that runs wait for it instead of failing.

    Attributes
    ----------
    reason
        What is in the way; None where nothing is.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._wait = FIRST_WAIT
        self._until = 0.0

    def meet(self, reason: str) -> None:
        """Wait from now on, because of `reason`."""
        self.reason = reason
        self._until = time.monotonic() + self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT)

    def is_due(self) -> bool:
        """Whether to try (again) now."""
        return self.reason is None or time.monotonic() >= self._until

    def clear(self) -> None:
        """Note that it seems to be gone; where it is not, the next wait is longer."""
        self.reason = None

    def hurry(self) -> None:
        """Try again now: a run came to its end, or a client made a request.

        What is met next counts as something new.
        """
        self._wait = FIRST_WAIT
        self._until = 0.0
