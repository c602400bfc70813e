"""The supervisor's log, which is its standard error."""

from __future__ import annotations

import contextlib
import sys


def write_log(line: str) -> None:
    """Add a line. On a full disk it comes with a later one: the queue goes on without."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
